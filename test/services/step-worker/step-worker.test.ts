import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FollowedEvent, Running, Runtime } from '../../../runtime/engine/runtime.ts';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import type { Token } from '../../../schemas/events.ts';
import { flow } from '../../../sdk/index.ts';
import { createStepWorker, type StepWorker } from '../../../services/step-worker/step-worker.ts';
import { runProgress } from '../../../topologies/run-progress.ts';
import { FakeExecutor } from './fake-executor.ts';

const runId = 'a'.repeat(32);
let test: TestRuntime;
let events: FollowedEvent<'runs'>[];
let open: Running[];
let executor: FakeExecutor;
let worker: StepWorker;

beforeEach(async () => {
  test = await createTestRuntime();
  open = [];
  await begin(test.runtime);
});

afterEach(async () => {
  await end();
  await test.close();
});

/** What one process runs. */
async function begin(runtime: Runtime, name = 'worker-1', slots = 2, surviving = false): Promise<void> {
  events = [];
  executor = new FakeExecutor(slots, surviving);
  worker = createStepWorker({ runtime, executor, name });
  open.push(await runtime.follow('runs', { from: 'earliest', onEvent: (event) => events.push(event) }));
  open.push(await runtime.runTopology(runProgress));
  open.push(await worker.start());
  open.push(await runtime.runService(worker.service));
  for (const part of open) await part.ready();
}

async function end(): Promise<void> {
  await worker.close();
  for (const part of open.splice(0).reverse()) await part.close();
}

/** As after kill -9: nothing is said, nothing is closed in order. */
async function crash(name = 'worker-1', surviving = false): Promise<void> {
  for (const part of open.splice(0).reverse()) await part.close();
  await begin(await test.restart(), name, 2, surviving);
}

async function request(chain: unknown, id = runId): Promise<void> {
  const data = {
    runId: id,
    flow: 'tested',
    version: 1,
    bundleHash: 'b'.repeat(64),
    graph: JSON.stringify((chain as FlowCode).graph),
    parameters: '{}',
    tags: [],
    systemTags: [],
    cause: { kind: 'manual', id: 'r', position: null },
    actor: 'ada',
  };
  await test.runtime.publish([{ topic: 'runs', type: 'run-requested', key: id, id: `request-${id}`, data }]);
}

const seen = (type: string): FollowedEvent<'runs'>[] => events.filter((event) => event.type === type);
const step = (name: string, nth = 0) =>
  eventually(`step ${name} runs`, () => executor.steps.filter(({ work }) => work.taskId === name)[nth]);

describe('a step worker', () => {
  it('claims, starts, runs and completes each task of a run', async () => {
    await request(
      flow('tested')
        .step('one', () => ({}))
        .step('two', () => ({})),
    );
    const first = await step('one');
    await eventually('the start was said', () => seen('task-started')[0]);
    expect(first.work).toMatchObject({ runId, attempt: 1, idempotencyKey: `${runId}.one` });
    first.end({ artifacts: [{ name: 'rows', hash: 'c'.repeat(64), sizeBytes: 1, codec: 'json' }] });
    const second = await step('two');
    expect(second.work.inputs).toMatchObject([
      { branch: '', artifacts: [{ name: 'rows', hash: 'c'.repeat(64), sizeBytes: 1, codec: 'json' }] },
    ]);
    second.end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
    expect(seen('completion-refused')).toEqual([]);
    expect(test.complaints).toEqual([]);
  });

  it('says what failed', async () => {
    await request(flow('tested').step('one', () => ({})));
    (await step('one')).fail('no luck');
    const failed = await eventually('the run has failed', () => seen('run-failed')[0]);
    expect(failed.data).toMatchObject({ step: 'one', kind: 'user', message: 'no luck' });
  });

  it('runs no more steps at once than it has slots', async () => {
    const wide = flow('tested')
      .branch('all', Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, () => ({})])))
      .join('meet', () => ({}));
    await request(wide);
    for (let ended = 0; ended < 5; ended++) {
      await eventually(
        `${Math.min(5, ended + 2)} steps have begun`,
        () => executor.steps.length >= Math.min(5, ended + 2),
      );
      expect(executor.steps.length).toBeLessThanOrEqual(ended + 2);
      executor.steps[ended]?.end();
    }
    (await step('meet')).end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
  });

  it('keeps a lease alive by heartbeats for as long as the step runs', async () => {
    await request(flow('tested', { leaseMs: 300 }).step('one', () => ({})));
    const one = await step('one');
    await eventually('several leases have passed', () => seen('task-heartbeat').length >= 8);
    one.end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
    expect(seen('completion-refused')).toEqual([]);
  });

  it('stops a step whose run is cancelled', async () => {
    await request(flow('tested').step('one', () => ({})));
    const one = await step('one');
    const data = { runId, requestId: 'c', actor: 'bob', reason: 'enough' };
    await test.runtime.publish([{ topic: 'runs', type: 'run-cancel-requested', key: runId, id: 'cancel-1', data }]);
    await eventually('the step was told', () => one.cancelled);
    expect(one.cancelled).toBe('the run was cancelled by bob');
    await eventually('the run is cancelled', () => seen('run-cancelled')[0]);
    expect(seen('task-failed')).toEqual([]);
  });

  it('does not begin what was cancelled before it came', async () => {
    await end();
    events = [];
    open.push(await test.runtime.follow('runs', { from: 'earliest', onEvent: (event) => events.push(event) }));
    open.push(await test.runtime.runTopology(runProgress));
    await request(flow('tested').step('one', () => ({})));
    const data = { runId, requestId: 'c', actor: 'bob', reason: 'enough' };
    await test.runtime.publish([{ topic: 'runs', type: 'run-cancel-requested', key: runId, id: 'cancel-1', data }]);
    await eventually('the run is cancelled', () => seen('run-cancelled')[0]);
    executor = new FakeExecutor();
    worker = createStepWorker({ runtime: test.runtime, executor, name: 'worker-1' });
    open.push(await worker.start(), await test.runtime.runService(worker.service));
    const other = 'b'.repeat(32);
    await request(
      flow('tested').step('two', () => ({})),
      other,
    );
    (await step('two')).end();
    await eventually('the other run has completed', () => seen('run-completed')[0]);
    const claimed = (): number =>
      test.runtime.stats().reduce((sum, { counters }) => sum + (counters['claimed'] ?? 0), 0);
    await eventually('all tasks are handled', () =>
      test.runtime
        .stats()
        .every(({ task, position, endOffset }) => !task.startsWith('step-worker') || position >= endOffset),
    );
    expect(claimed()).toBe(1);
    expect(executor.steps.map(({ work }) => work.taskId)).toEqual(['two']);
  });

  it('says lost at once for what its dead incarnation held, and never runs it twice without a retry', async () => {
    await request(flow('tested').step('one', () => ({})));
    await step('one');
    await crash();
    const failed = await eventually('the run has failed', () => seen('run-failed')[0]);
    expect(failed.data).toMatchObject({ kind: 'lost', message: 'worker worker-1 ended while it held the task' });
    expect(executor.steps).toEqual([]);
  });

  it('says nothing of what had ended when it was closed in order', async () => {
    await request(flow('tested').step('one', () => ({})));
    (await step('one')).end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
    await end();
    await begin(await test.restart());
    await eventually('it hears the log', () => seen('run-completed')[0]);
    expect([...seen('task-failed'), ...seen('completion-refused')]).toEqual([]);
  });

  it('deletes the claim of what has ended once it is idle, so that a kill finds none', async () => {
    const commits = (): number =>
      test.runtime.stats().reduce((sum, task) => sum + (task.task.startsWith('step-worker') ? task.commits : 0), 0);
    await request(flow('tested').step('one', () => ({})));
    (await step('one')).end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
    await eventually('its claim is deleted', () => commits() === 2);
  });

  it('runs a lost attempt again where the flow allows a retry', async () => {
    await request(flow('tested').step('one', () => ({}), { retry: 1 }));
    await step('one');
    await crash();
    const again = await step('one');
    expect(again.work).toMatchObject({ attempt: 2, idempotencyKey: `${runId}.one` });
    again.end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
  });

  it('goes on with what its dead incarnation held where the executor can: one start, one end, the lease kept', async () => {
    await request(flow('tested', { leaseMs: 2_000 }).step('one', () => ({})));
    const begun = await step('one');
    const [start] = await eventually('its start was said', () =>
      seen('task-started').length > 0 ? seen('task-started') : undefined,
    );
    await crash('worker-1', true);
    const adopted = await eventually('it is gone on with', () => executor.adopted[0]);
    // the executor finds it by the holder that began it
    expect(adopted.work.holder).toBe(begun.work.holder);
    const { token } = start?.data as { token: Token };
    expect(adopted.work.holder).toBe(token.incarnation);
    await eventually('its heart beats on', () => seen('task-heartbeat').length >= 1);
    adopted.end();
    await eventually('the run has completed', () => seen('run-completed')[0]);
    expect(seen('task-started')).toHaveLength(1);
    expect(seen('task-completed').map(({ data }) => (data as { token: Token }).token)).toEqual([token]);
    expect([...seen('task-failed'), ...seen('completion-refused'), ...seen('task-retried')]).toEqual([]);
    expect(executor.steps).toEqual([]);
  });

  it('leaves the claim of another worker to its lease', async () => {
    // long enough that a tick which comes late is no standstill of the log
    await request(flow('tested', { leaseMs: 3_000 }).step('one', () => ({})));
    await step('one');
    await crash('worker-2');
    expect(seen('task-failed')).toEqual([]);
    const failed = await eventually('the lease has lapsed', () => seen('run-failed')[0]);
    expect(failed.data).toMatchObject({ kind: 'lost' });
    expect((failed.data as { message: string }).message).toContain('worker-1 was silent for 3000 ms');
  });

  it('says that it was closed, so that nobody waits for the lease', async () => {
    await request(flow('tested').step('one', () => ({})));
    const one = await step('one');
    await worker.close();
    expect(one.cancelled).toBe('the worker is closing');
    const failed = await eventually('the run has failed', () => seen('run-failed')[0]);
    expect(failed.data).toMatchObject({ kind: 'lost', message: 'the worker was closed while the step ran' });
  });

  it('does not begin user code when its start was acknowledged too late', async () => {
    await end();
    await begin(test.runtime);
    await end();
    executor = new FakeExecutor();
    worker = createStepWorker({ runtime: test.runtime, executor, name: 'worker-1', startMarginMs: 10_000_000 });
    events = [];
    open.push(await test.runtime.follow('runs', { from: 'earliest', onEvent: (event) => events.push(event) }));
    open.push(
      await test.runtime.runTopology(runProgress),
      await worker.start(),
      await test.runtime.runService(worker.service),
    );
    await request(flow('tested').step('one', () => ({})));
    const refused = await eventually('it says so', () => seen('task-failed')[0]);
    expect(refused.data).toMatchObject({ kind: 'not-started' });
    expect(executor.steps).toEqual([]);
  });

  it('lets a zombie complete nothing: frozen past its lease, it wakes and is refused', async () => {
    await request(flow('tested', { leaseMs: 3_000 }).step('one', () => ({}), { retry: 1 }));
    const frozen = await step('one');
    // its heart stands still while it does: only the log goes on
    const publish = test.runtime.publish.bind(test.runtime);
    let thawed = false;
    test.runtime.publish = (outputs) =>
      outputs.some(({ type }) => type === 'task-heartbeat') && !thawed ? Promise.resolve([]) : publish(outputs);
    await eventually('the lease has lapsed', () => seen('task-retried')[0]);
    thawed = true;
    const artifacts = [{ name: 'ghost', hash: 'd'.repeat(64), sizeBytes: 1, codec: 'json' }];
    const started = seen('task-started')[0]?.data as { token: Token; worker: string };
    await publish([
      {
        topic: 'runs',
        type: 'task-completed',
        key: runId,
        id: 'zombie-1',
        data: {
          runId,
          taskId: 'one',
          token: started.token,
          worker: started.worker,
          artifacts,
          requests: [],
          userMs: 1,
          logs: null,
        },
      },
    ]);
    await eventually('it is refused', () => seen('completion-refused')[0]);
    await eventually('it was told to stop', () => frozen.cancelled);
    const again = await step('one', 1);
    expect(again.work.attempt).toBe(2);
    again.end();
    const completed = await eventually('the run has completed', () => seen('run-completed')[0]);
    expect(completed.data).toMatchObject({ artifacts: [] });
  });
});
