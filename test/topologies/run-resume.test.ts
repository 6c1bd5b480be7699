import { describe, expect, it } from 'vitest';
import { flow } from '../../sdk/index.ts';
import { artifact, forked, idBeside, linear, RunDriver, runId } from './run-progress-fixture.ts';

const next = idBeside('next');
const packs = (size: number) => ({ split: { size, packs: [{ hash: 'e'.repeat(64), count: size }] } });
const days = (count: number): number => count * 86_400_000;

/** What was taken over, and then what was dispatched, in order: `a cloned`, `b dispatched`. */
function said(run: RunDriver): string[] {
  const dispatched = run.outputs.filter(({ type }) => type === 'task-dispatched');
  return [
    ...run.closed().filter((what) => what.endsWith(' cloned')),
    ...dispatched.map(({ data }) => `${(data as { taskId: string }).taskId} dispatched`),
  ];
}

describe('a resumed run', () => {
  it('takes over by reference what ended well, and runs the failed step and what follows', async () => {
    const failed = await RunDriver.open(forked());
    failed.run('load', [artifact('rows', 'inline rows')]);
    failed.run('train.left', [artifact('l')]);
    failed.run('train.right.grow', [artifact('g')]);
    failed.start('train.right.prune');
    failed.fail('train.right.prune');
    const run = failed.resume(next);
    expect(said(run)).toEqual([
      'load cloned',
      'train.left cloned',
      'train.right.grow cloned',
      'train.right.prune dispatched',
    ]);
    const written = run.outputs.filter(({ type }) => type === 'artifact-written').map(({ data }) => data);
    expect(written).toMatchObject([
      { runId: next, taskId: 'load', originRunId: runId, artifact: artifact('rows', 'inline rows') },
      { runId: next, taskId: 'train.left', originRunId: runId, artifact: artifact('l') },
      { runId: next, taskId: 'train.right.grow', originRunId: runId, artifact: artifact('g') },
    ]);
    expect(run.dispatched('train.right.prune')).toMatchObject({
      attempt: 1,
      dispatch: 1,
      bundleHash: 'b'.repeat(64),
      inputs: [{ branch: '', artifacts: [artifact('rows', 'inline rows'), artifact('g')] }],
    });
    for (const step of ['train.right.prune', 'choose', 'register']) run.run(step);
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-completed', data: { runId: next, tasks: 6 } });
    expect(run.driver.takeDeadLetters()).toEqual([]);
    const { tasksOpened = 0, tasksCompleted, tasksFailed, tasksCloned } = run.driver.counters();
    expect({ tasksCompleted, tasksFailed, tasksCloned }).toEqual({ tasksCompleted: 6, tasksFailed: 1, tasksCloned: 3 });
    expect(tasksOpened).toBe(10);
  });

  it('runs everything from a named step on again, and nothing beside it', async () => {
    const done = await RunDriver.open(forked());
    for (const step of ['load', 'train.left', 'train.right.grow', 'train.right.prune', 'choose', 'register'])
      done.run(step, [artifact(step.replaceAll('.', '_'))]);
    const run = done.resume(next, { from: 'train.right.grow' });
    expect(said(run)).toEqual(['load cloned', 'train.left cloned', 'train.right.grow dispatched']);
    for (const step of ['train.right.grow', 'train.right.prune', 'choose', 'register']) run.run(step);
    expect(run.outputs.at(-1)?.type).toBe('run-completed');
  });

  it('goes on in place under its own id, with the counters of its tasks where they were', async () => {
    const run = await RunDriver.open(linear({ retry: 1 }));
    run.run('one', [artifact('a')]);
    run.start('two');
    run.fail('two');
    const zombie = run.token('two');
    run.start('two');
    run.fail('two');
    expect(run.types().at(-1)).toBe('run-failed');
    const before = run.outputs.length;
    run.resume(runId);
    expect(run.outputs.slice(before).map(({ type }) => type)).toEqual(['task-dispatched']);
    expect(run.dispatched('two')).toMatchObject({
      attempt: 3,
      dispatch: 3,
      idempotencyKey: `${runId}.two`,
      inputs: [{ artifacts: [artifact('a')] }],
    });
    run.start('two');
    expect(run.pipe('task-completed', { ...completion('two'), token: zombie }).map(({ type }) => type)).toEqual([
      'completion-refused',
    ]);
    run.fail('two');
    expect(run.dispatched('two')).toMatchObject({ attempt: 4, dispatch: 4 });
    run.run('two');
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-completed', data: { tasks: 2 } });
    expect(run.driver.takeDeadLetters()).toEqual([]);
  });

  it('takes over items of a foreach and runs the others, and the join behind them', async () => {
    const failed = await RunDriver.open(wide());
    failed.start('rows');
    failed.complete('rows', packs(100));
    for (let item = 0; item < 70; item++) failed.run(`rows.${item}.each`, [artifact('n', `inline ${item}`)]);
    failed.start('rows.70.each');
    failed.fail('rows.70.each');
    const run = failed.resume(next);
    expect(said(run).filter((what) => what.endsWith(' cloned'))).toHaveLength(71);
    for (let item = 70; item < 100; item++) run.run(`rows.${item}.each`, [artifact('n', `inline ${item}`)]);
    for (const chunk of [0, 1]) {
      expect(run.dispatched(`rows.-pack.${chunk}`).inputs[0]?.artifacts[0]?.inline?.toString()).toBe(
        `inline ${64 * chunk}`,
      );
      run.start(`rows.-pack.${chunk}`);
      run.complete(`rows.-pack.${chunk}`, packs(64));
    }
    run.run('sum');
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-completed', data: { tasks: 102 } });
    expect(run.driver.takeDeadLetters()).toEqual([]);
  });

  it('takes over rounds of a repeat and cases of a switch', async () => {
    const chain = flow('tested')
      .repeat(
        'rounds',
        (round) =>
          round
            .switch('way', (): 'a' | 'b' => 'a', { a: () => ({ a: 1 }), b: () => ({ b: 1 }) })
            .step('decide', () => ({ n: 1 })),
        { until: () => false, most: 3 },
      )
      .step('end', () => ({}));
    const failed = await RunDriver.open(chain);
    failed.start('rounds.0.way');
    failed.complete('rounds.0.way', { choice: 'b' });
    failed.run('rounds.0.way.b', [artifact('b')]);
    failed.start('rounds.0.decide');
    failed.complete('rounds.0.decide', { again: true, artifacts: [artifact('n')] });
    failed.start('rounds.1.way');
    failed.fail('rounds.1.way');
    const run = failed.resume(next);
    expect(said(run)).toEqual([
      'rounds.0.way cloned',
      'rounds.0.way.b cloned',
      'rounds.0.decide cloned',
      'rounds.1.way dispatched',
    ]);
  });

  it.each([next, runId])(
    'runs a gang again whole when one member failed, else takes it over whole (%s)',
    async (id) => {
      const chain = flow('tested')
        .gang('train', { size: 2 }, () => ({ m: 1 }))
        .join('meet', () => ({}))
        .step('end', () => ({}));
      const failed = await RunDriver.open(chain);
      for (const rank of [0, 1]) failed.start(`train.${rank}.member`);
      failed.complete('train.0.member', { artifacts: [artifact('m')] });
      failed.fail('train.1.member');
      const run = failed.resume(id);
      const counters = id === runId ? { attempt: 2, dispatch: 2 } : { attempt: 1, dispatch: 1 };
      for (const rank of [0, 1])
        expect(run.dispatched(`train.${rank}.member`)).toMatchObject({
          ...counters,
          gang: { round: counters.dispatch },
        });
      for (const rank of [0, 1]) run.start(`train.${rank}.member`);
      for (const rank of [0, 1]) run.complete(`train.${rank}.member`, { artifacts: [artifact('m', `inline ${rank}`)] });
      run.start('meet');
      run.fail('meet');
      const third = idBeside('third');
      const again = run.resume(third);
      expect(said(again)).toEqual(['train.0.member cloned', 'train.1.member cloned', 'meet dispatched']);
      expect(again.dispatched('meet').inputs.map(({ artifacts }) => artifacts[0]?.inline?.toString())).toEqual([
        undefined,
        'inline 0',
        'inline 1',
      ]);
      expect(run.driver.takeDeadLetters()).toEqual([]);
    },
  );

  it('takes outcomes over into code that has changed, as far as its graph still takes them', async () => {
    const failed = await RunDriver.open(linear());
    failed.run('one', [artifact('a')]);
    failed.start('two');
    failed.fail('two');
    const chain = flow('tested')
      .step('one', () => ({}))
      .step('between', () => ({}))
      .step('two', () => ({}));
    const run = failed.resume(next, { chain });
    expect(said(run)).toEqual(['one cloned', 'between dispatched']);
  });

  it('says why it cannot: a step that is not there, an origin that runs, or is unknown', async () => {
    const origin = await RunDriver.open(linear());
    origin.run('one');
    expect(origin.resume(next).outputs.at(-1)).toMatchObject({
      type: 'run-failed',
      data: { kind: 'invalid', message: expect.stringContaining('is still running') as string },
    });
    origin.run('two');
    expect(origin.resume(idBeside('third'), { from: 'tow' }).outputs.at(-1)).toMatchObject({
      data: { message: "flow 'tested' has no step 'tow': its steps are one, two" },
    });
    expect(new RunDriver(origin.driver, 'nobody').resume(idBeside('fourth')).outputs.at(-1)).toMatchObject({
      data: { message: "run 'nobody' cannot be resumed: nothing is kept of it; start the flow anew" },
    });
  });

  it('is possible for two weeks, and then nothing of the run is left but its end', async () => {
    const run = await RunDriver.open(wide());
    run.start('rows');
    run.complete('rows', packs(40));
    for (let item = 0; item < 40; item++) run.run(`rows.${item}.each`, [artifact('n')]);
    run.run('sum');
    run.advance(days(13));
    expect(run.driver.stateKeys().filter((key) => key.startsWith('past/'))).toHaveLength(42);
    run.advance(days(1));
    expect(run.driver.stateKeys()).toEqual(['clock', `run/${runId}`]);
  });

  it('stops an exit hook that still runs before it goes on in place', async () => {
    const run = await RunDriver.open(
      flow('tested')
        .onError(() => undefined)
        .step('one', () => ({})),
    );
    run.start('one');
    run.fail('one');
    run.start('-error');
    run.resume(runId);
    expect(run.outputs.slice(-2).map(({ type }) => type)).toEqual(['task-revoked', 'task-dispatched']);
    run.start('one');
    run.fail('one');
    expect(run.dispatched('-error')).toMatchObject({ attempt: 2, dispatch: 2 });
  });
});

function wide(): unknown {
  return flow('tested')
    .foreach(
      'rows',
      () => [1],
      ({ item }) => ({ n: item }),
    )
    .join('sum', () => ({ total: 1 }));
}

function completion(taskId: string) {
  return { runId, taskId, worker: 'w', artifacts: [], requests: [], userMs: 1, logs: null };
}
