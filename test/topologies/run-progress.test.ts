import { describe, expect, it } from 'vitest';
import type { FlowCode } from '../../runtime/ports/flow-code.ts';
import { flow } from '../../sdk/index.ts';
import { topics } from '../../schemas/topics.ts';
import { artifact, forked, linear, RunDriver, runId } from './run-progress-fixture.ts';

const leaseMs = 30_000;
const startMs = 60_000;

describe('walking a run', () => {
  it('dispatches the first step, then each next one with all artifacts so far, and completes', async () => {
    const run = await RunDriver.open(linear(), {});
    expect(run.dispatched('one')).toMatchObject({ attempt: 1, dispatch: 1, inputs: [{ branch: '', artifacts: [] }] });
    run.run('one', [artifact('rows')]);
    expect(run.dispatched('two').inputs).toEqual([{ branch: '', artifacts: [artifact('rows')] }]);
    run.run('two', [artifact('model')]);
    expect(run.outputs.at(-1)).toMatchObject({
      type: 'run-completed',
      data: { runId, tasks: 2, artifacts: [artifact('model')] },
    });
    expect(run.types().filter((type) => type === 'artifact-written')).toHaveLength(2);
    expect(run.driver.counters()).toMatchObject({ tasksOpened: 2, tasksCompleted: 2, runsOpened: 1, runsCompleted: 1 });
    expect(run.closed()).toEqual(['one completed', 'two completed']);
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
  });

  it('gives a join what each branch added and what was before, and afterwards only what it returned', async () => {
    const run = await RunDriver.open(forked());
    run.run('load', [artifact('rows')]);
    run.run('train.right.grow', [artifact('g')]);
    expect(run.dispatched('train.right.prune').inputs).toEqual([
      { branch: '', artifacts: [artifact('rows'), artifact('g')] },
    ]);
    run.run('train.right.prune', [artifact('p'), artifact('rows', 'newer')]);
    expect(run.types().filter((type) => type === 'task-dispatched')).toHaveLength(4);
    run.run('train.left', [artifact('l')]);
    expect(run.dispatched('choose').inputs).toEqual([
      { branch: '', artifacts: [artifact('rows')] },
      { branch: 'left', artifacts: [artifact('l')] },
      { branch: 'right', artifacts: [artifact('g'), artifact('p'), artifact('rows', 'newer')] },
    ]);
    run.run('choose', [artifact('best')]);
    expect(run.dispatched('register').inputs).toEqual([{ branch: '', artifacts: [artifact('best')] }]);
    run.run('register');
    expect(run.outputs.at(-1)?.type).toBe('run-completed');
  });

  it('walks branches inside branches', async () => {
    const run = await RunDriver.open(
      flow('tested')
        .step('load', () => ({ rows: 1 }))
        .branch('outer', {
          left: (branch) =>
            branch
              .branch('inner', { a: () => ({ n: 1 }), b: () => ({ n: 2 }) })
              .join('meet', () => ({ n: 3 }))
              .step('then', () => ({})),
          right: () => ({ m: 1 }),
        })
        .join('finish', () => ({})),
    );
    run.run('load', [artifact('rows')]);
    run.run('outer.left.inner.a', [artifact('n', 'a')]);
    run.run('outer.right', [artifact('m')]);
    run.run('outer.left.inner.b', [artifact('n', 'b')]);
    expect(run.dispatched('outer.left.meet').inputs).toEqual([
      { branch: '', artifacts: [artifact('rows')] },
      { branch: 'a', artifacts: [artifact('n', 'a')] },
      { branch: 'b', artifacts: [artifact('n', 'b')] },
    ]);
    run.run('outer.left.meet', [artifact('n', 'met')]);
    expect(run.dispatched('outer.left.then').inputs).toEqual([{ branch: '', artifacts: [artifact('n', 'met')] }]);
    run.run('outer.left.then');
    expect(run.dispatched('finish').inputs).toEqual([
      { branch: '', artifacts: [artifact('rows')] },
      { branch: 'left', artifacts: [artifact('n', 'met')] },
      { branch: 'right', artifacts: [artifact('m')] },
    ]);
    run.run('finish');
    expect(run.driver.counters()).toMatchObject({ tasksOpened: 7, tasksCompleted: 7 });
  });

  it('says deferred requests on acceptance, under ids that follow from the task', async () => {
    const body = JSON.stringify({ model: 'm', artifact: artifact('onnx'), metrics: { error: 1 }, alias: 'best' });
    const outputs = [];
    for (const attempts of [1, 2]) {
      const run = await RunDriver.open(linear({ retry: 1 }));
      run.start('one');
      if (attempts === 2) {
        run.fail('one');
        run.start('one');
      }
      const said = run.complete('one', { requests: [{ kind: 'register-model', body }] });
      outputs.push(said.find(({ type }) => type === 'version-requested'));
    }
    expect(outputs[0]).toMatchObject({
      topic: 'registry',
      key: 'm',
      data: { model: 'm', runId, taskId: 'one', flow: 'tested', actor: 'ada', metrics: { error: 1 }, alias: 'best' },
    });
    expect((outputs[1]?.data as { requestId: string }).requestId).toBe(
      (outputs[0]?.data as { requestId: string }).requestId,
    );
  });

  it('fails a run at once whose graph or parameters do not fit, and says all reasons', async () => {
    const run = await RunDriver.open({ graph: { format: 1 } });
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-failed', data: { kind: 'invalid' } });
    const wrong = await RunDriver.open(
      flow('tested')
        .parameter('n', { type: 'integer', required: true })
        .step('one', () => ({})),
      { m: 1 },
    );
    expect(wrong.outputs.at(-1)).toMatchObject({
      type: 'run-failed',
      data: {
        kind: 'invalid',
        message: expect.stringMatching(/no parameter 'm'.*'n' \(integer\) is required/) as string,
      },
    });
  });

  it('fails a run at once whose graph goes in circles, and names the steps that do', async () => {
    const { graph } = flow('tested')
      .foreach(
        'outer',
        () => [1],
        (each) =>
          each
            .foreach(
              'inner',
              () => [1],
              ({ item }) => ({ item }),
            )
            .join('gather', () => ({})),
      )
      .join('all', () => ({})) as unknown as { graph: { steps: { name: string; body?: string }[] } };
    const steps = graph.steps.map((step) => (step.name === 'outer.inner' ? { ...step, body: 'outer' } : step));
    const run = await RunDriver.open({ graph: { ...graph, steps } });
    expect(run.outputs.map(({ type }) => type)).toEqual(['run-failed']);
    expect(run.outputs[0]).toMatchObject({
      data: { kind: 'invalid', message: expect.stringContaining("scope 'outer' is opened twice") as string },
    });
  });

  it('drops a second request for the same run', async () => {
    const run = await RunDriver.open(linear());
    const before = run.outputs.length;
    run.request((linear() as FlowCode).graph);
    expect(run.outputs).toHaveLength(before);
    expect(run.driver.counters()['runsRepeated']).toBe(1);
  });
});

describe('who holds a task', () => {
  it('takes the first start of a dispatch, and tells the second to stop, with a record', async () => {
    const run = await RunDriver.open(linear());
    run.start('one', 'i1');
    const refused = run.start('one', 'i2');
    expect(refused.map(({ type }) => type)).toEqual(['task-revoked', 'operation-recorded']);
    expect(refused[0]?.data).toMatchObject({
      taskId: 'one',
      incarnation: 'i2',
      reason: 'the task is held by worker of i1',
    });
    expect(run.start('one', 'i1')).toEqual([]);
    expect(run.driver.counters()).toMatchObject({ startsRefused: 1, startsRepeated: 1 });
  });

  it('accepts the first terminal fact of the holder and refuses all others', async () => {
    const run = await RunDriver.open(linear());
    run.start('one', 'i1');
    const zombie = run.complete('one', { token: run.token('one', 'i2'), artifacts: [artifact('forged')] });
    expect(zombie.map(({ type }) => type)).toEqual(['completion-refused']);
    run.complete('one', { artifacts: [artifact('rows')] });
    const late = run.complete('one', { artifacts: [artifact('other')] });
    expect(late.map(({ type }) => type)).toEqual(['completion-refused']);
    expect(run.fail('one').map(({ type }) => type)).toEqual(['completion-refused']);
    expect(run.types().filter((type) => type === 'artifact-written')).toHaveLength(1);
  });

  it('refuses a completion without a start, of an unknown run, and after the end', async () => {
    const run = await RunDriver.open(linear());
    expect(run.complete('one')[0]?.data).toMatchObject({ reason: 'the task was not started' });
    const other = { ...({} as object), runId: 'f'.repeat(32) };
    expect(run.complete('one', other)[0]?.data).toMatchObject({ reason: 'there is no such run' });
    run.start('one');
    run.fail('one');
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-failed', data: { kind: 'user', message: 'it broke' } });
    expect(run.complete('one')[0]?.data).toMatchObject({ reason: 'the run is failed' });
  });

  it('refuses a fact of an earlier attempt, also from the worker that holds the current one', async () => {
    const run = await RunDriver.open(linear({ retry: 1 }));
    run.start('one');
    const old = run.token('one');
    run.fail('one');
    run.start('one');
    const refused = run.complete('one', { token: old, artifacts: [artifact('stale')] });
    expect(refused.map(({ type }) => type)).toEqual(['completion-refused']);
    expect(refused[0]?.data).toMatchObject({
      reason: 'attempt 1 dispatch 1 was replaced by attempt 2 dispatch 2',
    });
    expect(run.fail('one', { token: old }).map(({ type }) => type)).toEqual(['completion-refused']);
    expect(run.complete('one').map(({ type }) => type)).toEqual(['task-dispatched']);
  });

  it('stops a zombie that beats for a task it lost', async () => {
    const run = await RunDriver.open(linear({ retry: 1 }));
    run.start('one', 'i1');
    const old = run.token('one', 'i1');
    for (let beat = 0; beat < 7; beat++) run.advance(5_000);
    run.start('one', 'i2');
    expect(run.beat('one', 'i1', old).map(({ type }) => type)).toEqual(['task-revoked']);
    expect(run.complete('one', { token: old })[0]).toMatchObject({ type: 'completion-refused' });
    expect(run.complete('one', { token: run.token('one', 'i2') }).map(({ type }) => type)).toContain('task-dispatched');
  });
});

/** Ticks as the owner of an idle partition would write them. */
function idle(run: RunDriver, ms: number): string[] {
  const types: string[] = [];
  for (let passed = 0; passed < ms; passed += 5_000)
    types.push(...run.advance(Math.min(5_000, ms - passed)).map(({ type }) => type));
  return types;
}

describe('leases', () => {
  it('dispatches the same attempt again, on the next partition, when nobody starts it', async () => {
    const run = await RunDriver.open(linear());
    const first = run.dispatched('one');
    expect(idle(run, startMs + 1_000)).toEqual(['task-revoked', 'task-dispatched']);
    const second = run.dispatched('one');
    expect(second).toMatchObject({
      attempt: 1,
      dispatch: 2,
      partition: (first.partition + 1) % topics.tasks.partitions,
    });
    const late = run.start('one', 'i1', { attempt: 1, dispatch: 1, incarnation: 'i1' });
    expect(late.map(({ type }) => type)).toEqual(['task-revoked', 'operation-recorded']);
  });

  it('ends as lost, with no second run, when the holder falls silent and there is no retry', async () => {
    const run = await RunDriver.open(linear());
    run.start('one');
    expect(idle(run, leaseMs + 1_000)).toEqual(['task-revoked', 'run-failed']);
    expect(run.outputs.at(-1)?.data).toMatchObject({ kind: 'lost', taskId: 'one' });
    expect(run.closed()).toEqual(['one lost']);
    expect(run.types().filter((type) => type === 'task-dispatched')).toHaveLength(1);
    expect(run.driver.counters()).toMatchObject({ tasksOpened: 1, tasksLost: 1, runsFailed: 1 });
    expect(run.driver.stateKeys().filter((key) => key.startsWith('task/'))).toEqual([]);
    run.left();
    expect(run.driver.timerCount()).toBe(0);
  });

  it('goes on as long as heartbeats come', async () => {
    const run = await RunDriver.open(linear());
    run.start('one');
    for (let beat = 0; beat < 20; beat++) {
      run.advance(5_000);
      run.advance(5_000);
      expect(run.beat('one')).toEqual([]);
    }
    expect(run.complete('one').map(({ type }) => type)).toEqual(['task-dispatched']);
  });

  it('moves open leases by a jump of append time: nobody could renew meanwhile', async () => {
    const run = await RunDriver.open(linear());
    run.start('one');
    idle(run, 25_000);
    expect(run.advance(15_000)).toEqual([]);
    expect(run.driver.counters()['leasesMoved']).toBe(1);
    expect(idle(run, 4_000)).toEqual([]);
    expect(run.beat('one')).toEqual([]);
    expect(idle(run, leaseMs + 1_000)).toEqual(['task-revoked', 'run-failed']);
  });

  it('counts time that passed in ticks, so an idle partition does not keep a dead worker alive', async () => {
    const run = await RunDriver.open(linear({ retry: 1 }));
    run.start('one');
    expect(idle(run, 40_000)).toEqual(['task-revoked', 'task-retried', 'task-dispatched']);
    expect(run.dispatched('one')).toMatchObject({ attempt: 2, dispatch: 2 });
  });

  it('dispatches the attempt again when its worker died between claim and start', async () => {
    const run = await RunDriver.open(linear());
    expect(run.fail('one', { kind: 'lost' }).map(({ type }) => type)).toEqual(['task-dispatched']);
    expect(run.dispatched('one')).toMatchObject({ attempt: 1, dispatch: 2 });
  });

  it('dispatches the attempt again when its holder was too late to begin', async () => {
    const run = await RunDriver.open(linear());
    run.start('one');
    expect(run.fail('one', { kind: 'not-started' }).map(({ type }) => type)).toEqual(['task-dispatched']);
    expect(run.dispatched('one')).toMatchObject({ attempt: 1, dispatch: 2 });
  });
});

describe('failures', () => {
  it('retries as often as the policy says, with dispatches that never repeat, then fails with the last message', async () => {
    const run = await RunDriver.open(linear({ retry: 2 }));
    for (const attempt of [1, 2, 3]) {
      expect(run.dispatched('one')).toMatchObject({ attempt, dispatch: attempt });
      run.start('one');
      run.fail('one', { message: `failure ${attempt}` });
    }
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-failed', data: { message: 'failure 3', step: 'one' } });
    expect(run.types().filter((type) => type === 'task-retried')).toHaveLength(2);
    expect(run.driver.counters()).toMatchObject({ tasksOpened: 1, tasksFailed: 1, attemptsRetried: 2 });
  });

  it('waits between attempts when the policy says so', async () => {
    const run = await RunDriver.open(linear({ retry: { times: 1, backoffMs: 4_000 } }));
    run.start('one');
    expect(run.fail('one').map(({ type }) => type)).toEqual(['task-retried']);
    expect(run.advance(3_000)).toEqual([]);
    expect(run.advance(1_500).map(({ type }) => type)).toEqual(['task-dispatched']);
    expect(run.dispatched('one')).toMatchObject({ attempt: 2, dispatch: 2 });
  });

  it('stops the other branches when one fails, and keeps the first cause', async () => {
    const run = await RunDriver.open(forked());
    run.run('load');
    run.start('train.left');
    run.start('train.right.grow');
    const ended = run.fail('train.left', { message: 'first' });
    expect(ended.map(({ type }) => type)).toEqual(['task-revoked', 'run-failed']);
    expect(run.closed()).toEqual(['load completed', 'train.left failed', 'train.right.grow cancelled']);
    expect(ended[0]?.data).toMatchObject({ taskId: 'train.right.grow', incarnation: 'i1' });
    expect(run.fail('train.right.grow', { message: 'second' }).map(({ type }) => type)).toEqual(['completion-refused']);
    expect(run.driver.counters()).toMatchObject({
      tasksOpened: 3,
      tasksCompleted: 1,
      tasksFailed: 1,
      tasksCancelled: 1,
    });
  });

  it('cancels on request: every open task is revoked, what comes later is refused', async () => {
    const run = await RunDriver.open(forked());
    run.run('load');
    run.start('train.left');
    const cancelled = run.pipe('run-cancel-requested', { runId, requestId: 'c1', actor: 'bob', reason: 'enough' });
    expect(cancelled.map(({ type }) => type)).toEqual(['task-revoked', 'task-revoked', 'run-cancelled']);
    expect(run.complete('train.left').map(({ type }) => type)).toEqual(['completion-refused']);
    expect(run.start('train.right.grow').map(({ type }) => type)).toEqual(['task-revoked', 'operation-recorded']);
    expect(run.pipe('run-cancel-requested', { runId, requestId: 'c2', actor: 'bob', reason: '' })).toEqual([]);
    expect(run.driver.counters()).toMatchObject({
      tasksOpened: 3,
      tasksCompleted: 1,
      tasksCancelled: 2,
      runsCancelled: 1,
    });
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
  });
});
