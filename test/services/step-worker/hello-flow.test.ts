import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { createProcessExecutor } from '../../../runtime/adapters/process-executor/process-executor.ts';
import type { FollowedEvent, Running } from '../../../runtime/engine/runtime.ts';
import type { TaskExecutor } from '../../../runtime/ports/index.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import { decodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import type { ArtifactWritten, VersionRequested } from '../../../schemas/events.ts';
import { createStepWorker, type StepWorker } from '../../../services/step-worker/step-worker.ts';
import { createTriggerMatcher } from '../../../services/trigger-matcher/trigger-matcher.ts';
import { flowStarts } from '../../../topologies/flow-starts.ts';
import { runProgress } from '../../../topologies/run-progress.ts';

let test: TestRuntime;
let directory: string;
let executor: TaskExecutor;
let worker: StepWorker;
let open: Running[];
const runs: FollowedEvent<'runs'>[] = [];
const artifacts: ArtifactWritten[] = [];
const registrations: VersionRequested[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-hello-'));
  test = await createTestRuntime();
  const { runtime } = test;
  executor = await createProcessExecutor({
    blobs: runtime.parts.blobs,
    cacheDirectory: join(directory, 'steps'),
    slots: 2,
  });
  worker = createStepWorker({ runtime, executor, name: 'worker-1' });
  open = [
    await runtime.follow('runs', { from: 'earliest', onEvent: (event) => runs.push(event) }),
    await runtime.follow('artifacts', {
      from: 'earliest',
      onEvent: ({ type, data }) => type === 'artifact-written' && artifacts.push(data),
    }),
    await runtime.follow('registry', {
      from: 'earliest',
      onEvent: (event) => {
        if (event.type === 'version-requested') registrations.push(event.data);
      },
    }),
    await runtime.runTopology(flowStarts),
    await runtime.runTopology(runProgress),
    await runtime.runService(await createTriggerMatcher(runtime)),
    await worker.start(),
    await runtime.runService(worker.service),
  ];
}, 60_000);

afterAll(async () => {
  await worker.close();
  for (const part of open.reverse()) await part.close();
  await executor.close();
  await test.close();
  await rm(directory, { recursive: true, force: true });
});

async function deploy(file: string): Promise<void> {
  const { runtime } = test;
  const { name, code, graph, triggers } = await bundleFlow(file);
  const { hash } = await runtime.parts.blobs.put(code);
  const data = {
    flow: name,
    requestId: `deploy-${name}`,
    bundleHash: hash,
    graph: JSON.stringify(graph),
    triggers: JSON.stringify(triggers),
    policy: '{}',
    authorize: '',
    newToken: false,
    actor: 'ada',
  };
  await runtime.publish([{ topic: 'starts', type: 'flow-deploy-requested', key: name, id: `deploy-${name}`, data }]);
  const table = await runtime.openTable('flows');
  await eventually(`${name} is deployed`, async () => await table.find(name));
  await table.close();
}

async function trigger(name: string, payload: object): Promise<FollowedEvent<'runs'>> {
  const { runtime } = test;
  const ended = runs.filter(({ type }) => type === 'run-completed' || type === 'run-failed').length;
  const data = { name, payload: JSON.stringify(payload), attributes: {} };
  await runtime.publish([{ topic: 'triggers', type: 'triggered', key: name, id: `trigger-${name}-${ended}`, data }]);
  return await eventually(
    'the run has ended',
    () => runs.filter(({ type }) => type === 'run-completed' || type === 'run-failed')[ended],
    40_000,
  );
}

describe('a flow from its trigger to its artifacts, in child processes', () => {
  it('runs steps, branches and the join, each task once, with what each may see', async () => {
    await deploy(join(import.meta.dirname, '../../../examples/hello/flow.ts'));
    const ended = await trigger('hello-wanted', { person: 'Ada' });
    expect(ended, JSON.stringify(ended.data)).toMatchObject({
      type: 'run-completed',
      data: { flow: 'hello', tasks: 5 },
    });
    expect(artifacts.map(({ taskId, artifact }) => `${taskId}: ${artifact.name}`).sort()).toEqual([
      'collect: said',
      'greet: greeting',
      'say.loud: text',
      'say.twice.glue: text',
      'say.twice.repeat: parts',
    ]);
    const said = artifacts.find(({ artifact }) => artifact.name === 'said')?.artifact;
    const bytes = said?.inline ?? (await test.runtime.parts.blobs.get(said?.hash ?? ''));
    expect(decodeArtifact(said?.codec ?? '', bytes)).toEqual(['hello Ada', 'HELLO ADA', 'hello Ada, hello Ada']);
    const collected = runs.find(
      ({ type, data }) => type === 'task-completed' && 'taskId' in data && data.taskId === 'collect',
    );
    const { logs } = collected?.data as { logs: { hash: string } };
    expect((await test.runtime.parts.blobs.get(logs.hash)).toString('utf8')).toMatch(
      /^\S+Z out collected \{"branches":2\}\n$/,
    );
    expect(runs.filter(({ type }) => type === 'completion-refused')).toEqual([]);
  }, 60_000);

  it('registers a model of an attempt that was accepted, and nothing of one that failed', async () => {
    await deploy(join(import.meta.dirname, 'flaky-flow.ts'));
    const ended = await trigger('flaky-wanted', {});
    expect(ended, JSON.stringify(ended.data)).toMatchObject({ type: 'run-completed', data: { flow: 'flaky' } });
    expect(registrations).toMatchObject([{ model: 'flaky', metrics: { attempt: 2 }, flow: 'flaky', taskId: 'train' }]);
    expect(runs.filter(({ type }) => type === 'task-retried')).toHaveLength(1);
    expect(
      artifacts.filter(({ flow }) => flow === 'flaky').map(({ artifact, attempt }) => [artifact.name, attempt]),
    ).toEqual([['attempt', 2]]);
  }, 60_000);
});
