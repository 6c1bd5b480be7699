import { expect, it } from 'vitest';
import type { ClusterApi } from '../../../runtime/adapters/kubernetes-executor/cluster-api.ts';
import { JobRun } from '../../../runtime/adapters/kubernetes-executor/job-run.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { TaskWork } from '../../../runtime/ports/task-executor.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';

const work: TaskWork = {
  runId: 'run',
  taskId: 'task',
  step: 'start',
  attempt: 1,
  flow: 'Flow',
  bundleHash: '',
  inputs: [],
  parameters: '{}',
  idempotencyKey: 'k',
  timeoutMs: 60_000,
};
const hash = 'a'.repeat(64);
const away = (): Promise<never> => Promise.reject(new MillraceError('UNAVAILABLE', 'the store is away'));

function run(blobs: Partial<BlobStore>, api: object, adopt = true) {
  const warnings: string[] = [];
  const settings = {
    ...{ namespace: 'n', serviceAccount: 'a', image: 'i', worker: 'w', compute: 'process', doorUrl: 'http://door' },
    ...{ nodeSelector: {}, tolerations: [], gpuResource: 'g', memoryMb: 100, logBytesMax: 1_000 },
    ...{ pendingMs: 60_000, ttlSeconds: 60 },
  };
  const parts = {
    api: api as ClusterApi,
    blobs: blobs as BlobStore,
    settings,
    silentMs: 60_000,
    unreachableMs: 60_000,
    apiAwayMs: () => 0,
    warn: (_: object, message: string) => void warnings.push(message),
  };
  return { job: new JobRun(parts, work, adopt), warnings };
}

it('completes a step whose outcome could not be read at first, whatever its pod came to meanwhile', async () => {
  let failures = 2;
  const outcome = { type: 'completed', artifacts: [] };
  const get = (): Promise<Buffer> => (failures-- > 0 ? away() : Promise.resolve(Buffer.from(JSON.stringify(outcome))));
  const { job, warnings } = run({ get }, { readJob: () => Promise.resolve({ metadata: { name: 'j' } }) });
  const ended = Promise.all([job.ended(hash), job.ended(hash)]);
  job.podGone({ metadata: { name: 'p', uid: 'u' } });
  job.tick(performance.now() + 10_000_000);
  await ended;
  expect(await job.outcome).toEqual(outcome);
  expect(warnings).toHaveLength(2);
});

it('completes with no blob that the step was neither given nor wrote', async () => {
  const stolen = { name: 'model', hash: 'b'.repeat(64), sizeBytes: 1, codec: 'json' };
  const outcome = { type: 'completed', artifacts: [stolen] };
  const get = (): Promise<Buffer> => Promise.resolve(Buffer.from(JSON.stringify(outcome)));
  const { job } = run({ get }, { createJob: () => Promise.resolve({ metadata: { name: 'j' } }) }, false);
  await expect(job.ended(hash)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  job.readable.add(stolen.hash);
  await job.ended(hash);
  expect(await job.outcome).toEqual(outcome);
});

it('fails without its log when that cannot be kept', async () => {
  const refused = new MillraceError('INVALID_ARGUMENT', 'no such class');
  const { job } = run({ put: away }, { readJob: () => Promise.reject(refused), deleteJob: () => Promise.resolve() });
  job.said({ lines: ['a line'], cards: [] });
  job.cancel('not wanted');
  expect(await job.outcome).toMatchObject({
    type: 'failed',
    kind: 'cancelled',
    message: 'not wanted',
    logs: undefined,
  });
});

it('that is not begun in time says why, though the cluster had not said it before the wait was over', async () => {
  let asked = 0;
  const warningAbout = (): Promise<string> => Promise.resolve(`exceeded quota: pods, asked ${++asked} times`);
  const readJob = (): Promise<object> => Promise.resolve({ metadata: { name: 'j' } });
  const { job } = run({}, { readJob, warningAbout, deleteJob: () => Promise.resolve() });
  await eventually('it waits, and then too long', () => {
    job.tick(performance.now() + 61_000);
    return asked > 0;
  });
  expect(await job.outcome).toMatchObject({
    kind: 'platform',
    message: expect.stringMatching(/waited 61 s and was not begun: exceeded quota: pods, asked 1 times/) as string,
  });
});
