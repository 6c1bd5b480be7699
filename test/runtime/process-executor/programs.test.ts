import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { bundleFlow, type FlowBundle } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { createProcessExecutor } from '../../../runtime/adapters/process-executor/process-executor.ts';
import type { ArtifactRef, BlobStore, TaskExecutor, TaskOutcome, TaskWork } from '../../../runtime/ports/index.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { decodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import { NdArray } from '../../../schemas/codec/npy.ts';
import { isRunningNow, pidIn, scratch } from '../../conformance/task-executor/suite.ts';

const untimed = (text: string): string => text.replaceAll(/^\S+Z /gm, '');

let directory: string;
let blobs: BlobStore;
let executor: TaskExecutor;
let bundle: FlowBundle;
let bundleHash: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-programs-'));
  blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs') });
  bundle = await bundleFlow(join(import.meta.dirname, 'programs/flow.ts'));
  bundleHash = (await blobs.put(bundle.code)).hash;
  executor = await createProcessExecutor({
    blobs,
    cacheDirectory: join(directory, 'steps'),
    slots: 1,
    memoryMb: 500,
    logBytesMax: 100_000,
  });
}, 60_000);

afterAll(async () => {
  await executor?.close();
  await blobs?.close();
  await rm(directory, { recursive: true, force: true });
});

function work(step: string, more: Partial<TaskWork> = {}): TaskWork {
  return {
    runId: 'run-1',
    taskId: `${step}-1`,
    step,
    attempt: 2,
    flow: 'programs',
    bundleHash,
    inputs: [{ branch: '', artifacts: [] }],
    parameters: '{"alpha":0.5,"mode":""}',
    idempotencyKey: 'key-1',
    timeoutMs: 30_000,
    ...more,
  };
}

async function run(step: string, artifacts: readonly ArtifactRef[] = []): Promise<Completed> {
  const outcome = await executor.start(work(step, { inputs: [{ branch: '', artifacts }] })).outcome;
  if (outcome.type !== 'completed') throw new Error(`${outcome.kind}: ${outcome.message}\n${outcome.stack}`);
  return outcome;
}

type Completed = Extract<TaskOutcome, { type: 'completed' }>;
type Failed = Extract<TaskOutcome, { type: 'failed' }>;

const behave = (mode: string, more: Partial<TaskWork> = {}) =>
  executor.start(work('behave', { parameters: JSON.stringify({ alpha: 1, mode }), ...more }));

async function failure(mode: string, more: Partial<TaskWork> = {}): Promise<Failed> {
  const outcome = await behave(mode, more).outcome;
  if (outcome.type !== 'failed') throw new Error(`'${mode}' was to fail`);
  return outcome;
}

async function values(artifacts: readonly ArtifactRef[]): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const { name, codec, hash, inline = null } of artifacts)
    all[name] = decodeArtifact(codec, inline ?? (await blobs.get(hash)));
  return all;
}

const logOf = async (outcome: TaskOutcome): Promise<string> =>
  outcome.logs === undefined ? '' : untimed((await blobs.get(outcome.logs.hash)).toString('utf8'));

describe('a step that is a program', () => {
  let begun: readonly ArtifactRef[];

  it('gets artifacts as files that need nothing of ours, parameters, ids, and the files of the flow', async () => {
    begun = (await run('begin')).artifacts;
    const { artifacts } = await run('look', begun);
    const { seen, copy, notes } = await values(artifacts);
    expect(seen).toMatchObject({
      ...{ format: 1, flow: 'programs', step: 'look', runId: 'run-1', taskId: 'look-1', attempt: 2 },
      parameters: { alpha: 0.5, mode: '' },
      rows: [{ id: 1, name: 'ä' }],
      nested: { weights: { $millrace: 'Float32Array', file: 'nested.0.npy' }, bias: 1 },
      codecs: {
        rows: 'json',
        vector: 'npy',
        nested: 'json',
        matrix: 'npy',
        table: 'arrow',
        raw: 'bytes',
        big: 'bytes',
      },
      bytes: { raw: 3, big: 200_000, table: 9 },
      arguments: ['--alpha', '0.5', '2'],
      alpha: '0.5',
      names: ['run-1', 'look-1', 'look', '2', 'key-1'],
      data: ['settings.json'],
      outputIsThere: true,
      parent: [],
    });
    expect(copy).toEqual(new NdArray(new Int32Array([1, 2, 3, 4]), [2, 2]));
    expect(notes).toBe('schön');
  });

  it('cannot change an artifact that it was given', async () => {
    const again = (await values((await run('look', begun)).artifacts))['seen'] as { bytes: { big: number } };
    expect(again.bytes.big).toBe(200_000);
  });

  it('leaves artifacts, metrics and models by its manifest', async () => {
    const outcome = await run('leave', begun);
    const left = await values(outcome.artifacts);
    expect(left).toMatchObject({
      extra: [1, null],
      metrics: { rmse: 0.25, worst: Number.NaN },
      params: { alpha: '-Infinity, as text' },
    });
    expect((left['model'] as Uint8Array).length).toBe(100_000);
    expect(outcome.artifacts.map(({ name, codec }) => `${name} ${codec}`).sort()).toEqual([
      'extra json',
      'metrics json',
      'model onnx',
      'params json',
      'table arrow',
    ]);
    expect(JSON.parse(outcome.requests[0]?.body ?? '')).toMatchObject({
      model: 'wine',
      alias: 'champion',
      metrics: { rmse: 0.25 },
      tags: { by: 'node' },
      artifact: { codec: 'onnx', sizeBytes: 100_000 },
    });
    expect(await logOf(outcome)).toContain('named by nothing, so not kept: forgotten.log');
  });

  it('is written as plainly as a shell command, also within a branch', async () => {
    const { artifacts } = await run('shell');
    expect(await values(artifacts)).toEqual({ said: 0.5 });
    expect(await values((await run('both.one.one')).artifacts)).toEqual({ n: 1 });
  });

  it.each<[string, string, string]>([
    ['exits', 'user', "'sh behave.sh exits' ended with exit code 3: ValueError: no rows"],
    ['crashes', 'killed', 'was ended by SIGSEGV'],
    ['nothing', 'user', "artifact 'answer' is missing: leave it as $MILLRACE_OUTPUT/answer.json"],
    ['malformed', 'user', 'manifest.json is no JSON'],
    [
      'wrong',
      'user',
      "it has 'artefacts', and may have artifacts, metrics, params, tags, models; metric 'rmse' must be a number, got \"low\"; models[0]: model must be 1 to 128 letters",
    ],
    ['not-json', 'user', "artifact 'answer': 'answer.json' is no JSON"],
    ['outside', 'user', "'answer.json' leads out of the folder of the step"],
    ['codec', 'user', "artifact 'answer': there is no file 'a.npy' in the output folder"],
    ['eats', 'killed', 'the step ran out of memory: its limit is 500 MiB'],
  ])('that %s is a failure of kind %s, with the reason', async (mode, kind, message) => {
    expect(await failure(mode)).toMatchObject({ kind, message: expect.stringContaining(message) as string });
  });

  it('says its last words when it fails', async () => {
    const outcome = await failure('exits');
    expect(outcome.stack).toBe('cannot read the file\nValueError: no rows');
    expect(await logOf(outcome)).toContain('err cannot read the file\nerr ValueError: no rows\n');
  });

  it('that is not on the worker says so', async () => {
    const outcome = await executor.start(work('missing-program')).outcome;
    expect(outcome).toMatchObject({
      kind: 'user',
      message: expect.stringContaining("there is no program 'no-such-program-anywhere' on this worker") as string,
    });
  });

  it('that floods its log is cut, and cannot forge the end of it', async () => {
    const flooded = await behave('floods').outcome;
    expect(flooded.type).toBe('completed');
    expect((await logOf(flooded)).length).toBeLessThan(100_200);
    expect((await logOf(flooded)).split('\n').at(-2)).toMatch(/^err \[the log was cut: \d+ bytes more were written\]$/);
    expect((await logOf(await behave('marks').outcome)).split('\n').sort()).toEqual(['', 'err two', 'out �.�o one']);
  });

  it('is ended at its timeout', async () => {
    let pid: number | undefined;
    // a slow machine has not begun it by then
    for (let timeoutMs = 1_500; pid === undefined; timeoutMs *= 2) {
      const path = scratch('hangs');
      const outcome = await failure(`hangs:${path}`, { timeoutMs });
      expect(outcome).toMatchObject({ kind: 'timeout', message: `the step ran longer than ${timeoutMs} ms` });
      pid = await pidIn(path);
    }
    const begun = pid;
    await eventually('the program is gone', async () => !(await isRunningNow(begun)));
  });

  it('is ended when it is cancelled', async () => {
    const path = scratch('cancelled');
    const handle = behave(`hangs:${path}`);
    const pid = await eventually('the program runs', () => pidIn(path));
    handle.cancel('enough');
    expect(await handle.outcome).toMatchObject({ kind: 'cancelled', message: 'enough' });
    await eventually('the program is gone', async () => !(await isRunningNow(pid)));
  });

  it('leaves nothing running, and no files, once it has ended', async () => {
    const path = scratch('leaves');
    const outcome = await behave(`leaves:${path}`).outcome;
    expect(outcome, JSON.stringify(outcome)).toMatchObject({ type: 'completed' });
    const pid = (await pidIn(path)) ?? 0;
    expect(pid).toBeGreaterThan(0);
    await eventually('what it left running is gone', async () => !(await isRunningNow(pid)));
    const [own = ''] = (await readdir(join(directory, 'steps'))).filter((name) => /^\d+-/.test(name));
    expect(await readdir(join(directory, 'steps', own, 'attempts'))).toEqual([]);
  });
});

describe('a bundle with files', () => {
  it('is the same for the same files, and another one when a file changes', async () => {
    const again = await bundleFlow(join(import.meta.dirname, 'programs/flow.ts'));
    expect(Buffer.from(again.code).equals(bundle.code)).toBe(true);
    expect(bundle.files).toEqual(['behave.sh', 'data', 'leave.mjs', 'look.mjs']);
    expect((bundle.graph as { steps: { name: string; runs?: object }[] }).steps[1]?.runs).toEqual({ kind: 'command' });
  });
});
