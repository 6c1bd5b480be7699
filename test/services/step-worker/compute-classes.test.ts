import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitingByClass, waitingText } from '../../../cli/run/waiting-text.ts';
import type { FollowedEvent, Running } from '../../../runtime/engine/runtime.ts';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import { taskRows } from '../../../services/provenance/task-rows.ts';
import { Slots } from '../../../services/step-worker/slots.ts';
import { createStepWorker, type StepWorker } from '../../../services/step-worker/step-worker.ts';
import { flow } from '../../../sdk/index.ts';
import { runProgress } from '../../../topologies/run-progress.ts';
import { FakeExecutor } from './fake-executor.ts';

const runId = 'c'.repeat(32);
let test: TestRuntime;
let events: FollowedEvent<'runs'>[];
let open: Running[];
let workers: StepWorker[];

beforeEach(async () => {
  test = await createTestRuntime();
  events = [];
  workers = [];
  open = [
    await test.runtime.follow('runs', { from: 'earliest', onEvent: (event) => events.push(event) }),
    await test.runtime.runTopology(runProgress),
  ];
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.close()));
  for (const part of open.reverse()) await part.close();
  await test.close();
});

async function worker(name: string, compute: string, slots = 2): Promise<FakeExecutor> {
  const executor = new FakeExecutor(slots);
  const made = createStepWorker({ runtime: test.runtime, executor, name, compute });
  workers.push(made);
  open.push(await made.start(), await test.runtime.runService(made.service));
  for (const part of open) await part.ready();
  return executor;
}

async function request(chain: unknown, startMs = 60_000): Promise<void> {
  const data = {
    runId,
    flow: 'hybrid',
    version: 1,
    bundleHash: 'b'.repeat(64),
    graph: JSON.stringify({ ...((chain as FlowCode).graph as object), startMs }),
    parameters: '{}',
    tags: [],
    systemTags: [],
    cause: { kind: 'manual', id: 'r', position: null },
    actor: 'ada',
  };
  await test.runtime.publish([{ topic: 'runs', type: 'run-requested', key: runId, id: 'request', data }]);
}

const mixed = flow('hybrid')
  .step('prepare', () => ({}))
  .step('train', () => ({}), { compute: 'gpu' })
  .step('report', () => ({}));

describe('compute classes', () => {
  it('let the steps of one run run on workers of different classes', async () => {
    const laptop = await worker('laptop', 'process');
    const cluster = await worker('cluster', 'gpu');
    await request(mixed);
    const begun = (executor: FakeExecutor, step: string) =>
      eventually(`${step} runs`, () => executor.steps.find(({ work }) => work.step === step));
    (await begun(laptop, 'prepare')).end();
    (await begun(cluster, 'train')).end();
    (await begun(laptop, 'report')).end();
    await eventually('the run has completed', () => events.some(({ type }) => type === 'run-completed'));
    expect(laptop.steps.map(({ work }) => work.step)).toEqual(['prepare', 'report']);
    expect(cluster.steps.map(({ work }) => work.step)).toEqual(['train']);
    const started = events.flatMap((event) => (event.type === 'task-started' ? [event.data.worker] : []));
    expect(started).toEqual(['laptop', 'cluster', 'laptop']);
  });

  it('that one machine serves share its slots', async () => {
    const executor = new FakeExecutor(1);
    const slots = new Slots(executor.slots);
    for (const compute of ['process', 'gpu']) {
      const made = createStepWorker({ runtime: test.runtime, executor, name: 'laptop', compute, slots });
      workers.push(made);
      open.push(await made.start(), await test.runtime.runService(made.service));
    }
    for (const part of open) await part.ready();
    await request(
      flow('hybrid')
        .branch('both', { here: () => ({}), there: (branch) => branch.step('train', () => ({}), { compute: 'gpu' }) })
        .join('end', () => ({})),
    );
    const begun = (count: number) => eventually(`${count} have begun`, () => executor.steps[count - 1]);
    const first = await begun(1);
    const claimed = (): number =>
      test.runtime.stats().reduce((sum, { counters }) => sum + (counters['claimed'] ?? 0), 0);
    // the other one was offered with it, and is not claimed while the slot is taken
    expect(claimed()).toBe(1);
    first.end();
    const second = await begun(2);
    expect([first, second].map(({ work }) => work.taskId).sort()).toEqual(['both.here', 'both.there.train']);
    second.end();
    (await begun(3)).end();
    await eventually('the run has completed', () => events.some(({ type }) => type === 'run-completed'));
  });

  it('that nobody serves are named, with how long a task has waited, until somebody comes', async () => {
    const laptop = await worker('laptop', 'process');
    const alone = flow('hybrid').step('train', () => ({}), { compute: 'gpu' });
    await request(alone, 200);
    const lapses = (): readonly FollowedEvent<'runs'>[] => events.filter(({ type }) => type === 'phase-lapsed');
    const [first, second] = await eventually('it was offered again', () =>
      lapses().length >= 2 ? lapses() : undefined,
    );
    const place = { topic: 'runs', partition: 0, offset: 0 };
    const rows = [first, second].flatMap((event) => (event === undefined ? [] : taskRows(event, place)));
    const waiting = rows.map((change) => ('row' in change ? change.row : {}));
    expect(waiting).toMatchObject([
      { task_id: 'train', status: 'waiting', dispatch: 1, compute: 'gpu' },
      { task_id: 'train', status: 'waiting', dispatch: 2, compute: 'gpu' },
    ]);
    const [since, again] = waiting.map((row) => Number((row as { waits_since?: number }).waits_since));
    // as long as it waits, not as long as its present offer
    expect(again).toBe(since);
    const offered = [{ taskId: 'train', compute: 'gpu', sinceMs: since ?? 0 }];
    const [said] = waitingByClass(offered).map((one) => waitingText(one, (since ?? 0) + 61_400));
    expect(said).toBe(
      "train has waited 61 s for a worker of the compute class 'gpu': none has taken it. Start one: millrace serve step-worker --set worker.compute=gpu; on one machine run the platform with --set worker.compute=process,gpu",
    );
    const cluster = await worker('cluster', 'gpu');
    (await eventually('train runs', () => cluster.steps.find(({ work }) => work.step === 'train'))).end();
    expect(laptop.steps).toEqual([]);
  });
});
