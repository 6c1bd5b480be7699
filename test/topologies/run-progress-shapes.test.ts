import { describe, expect, it } from 'vitest';
import { flow } from '../../sdk/index.ts';
import { artifact, RunDriver, runId } from './run-progress-fixture.ts';

const packs = (size: number) => ({ split: { size, packs: [{ hash: 'e'.repeat(64), count: size }] } });
const open = (run: RunDriver): number => run.driver.state<{ open: number }>(`run/${runId}`)?.open ?? -1;
const wide = (options: { maxWorkers?: number } = {}): unknown =>
  flow('tested', options)
    .step('load', () => ({ rows: [1] }))
    .foreach(
      'rows',
      ({ rows }) => rows,
      ({ item }) => ({ n: item }),
    )
    .join('sum', () => ({ total: 1 }));

describe('a foreach', () => {
  it('has no more tasks under way than the run may, joins in order, and leaves nothing in the state', async () => {
    const run = await RunDriver.open(wide({ maxWorkers: 3 }));
    run.run('load', [artifact('rows')]);
    run.start('rows');
    run.complete('rows', packs(7));
    for (let item = 0; item < 7; item++) {
      expect(open(run)).toBe(Math.min(3, 7 - item));
      expect(run.dispatched(`rows.${item}.each`)).toMatchObject({
        items: [{ pack: 'e'.repeat(64), at: item }],
        frames: [{ point: 'rows', kind: 'foreach', index: item, size: 7 }],
        inputs: [{ branch: '', artifacts: [artifact('rows')] }],
      });
      run.run(`rows.${item}.each`, [artifact('n', `inline ${item}`)]);
    }
    const { inputs } = run.dispatched('sum');
    expect(inputs.map(({ branch, artifacts }) => [branch, artifacts[0]?.inline?.toString()])).toEqual([
      ['', undefined],
      ...Array.from({ length: 7 }, (_, item) => [String(item), `inline ${item}`]),
    ]);
    run.run('sum', [artifact('total')]);
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-completed', data: { tasks: 10 } });
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
    expect(run.driver.takeDeadLetters()).toEqual([]);
  });

  it('packs results by 64, so that the dispatch of a wide join stays small', async () => {
    const run = await RunDriver.open(wide());
    run.run('load', [artifact('rows')]);
    run.start('rows');
    run.complete('rows', packs(150));
    for (let item = 149; item >= 0; item--) {
      const next = run.outputs
        .filter(({ type }) => type === 'task-dispatched')
        .map(({ data }) => (data as { taskId: string }).taskId)
        .findLast((taskId) => taskId.endsWith('.each') && run.driver.state(`task/${runId}/${taskId}`) !== undefined);
      run.run(next ?? '', [artifact('n', next)]);
    }
    for (const chunk of [0, 1, 2]) {
      const taskId = `rows.-pack.${chunk}`;
      expect(run.dispatched(taskId)).toMatchObject({ kind: 'pack' });
      expect(run.dispatched(taskId).inputs).toHaveLength(chunk < 2 ? 64 : 22);
      run.start(taskId);
      run.complete(taskId, { split: { size: 64, packs: [{ hash: String(chunk).repeat(64), count: 64 }] } });
    }
    expect(run.dispatched('sum').inputs).toHaveLength(1);
    expect(run.dispatched('sum').packs?.map(({ hash }) => hash[0])).toEqual(['0', '1', '2']);
    run.run('sum');
    expect(run.outputs.at(-1)).toMatchObject({ type: 'run-completed', data: { tasks: 153 } });
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
  });

  it('sweeps what a failed run leaves', async () => {
    const run = await RunDriver.open(wide({ maxWorkers: 2 }));
    run.run('load', [artifact('rows')]);
    run.start('rows');
    run.complete('rows', packs(9));
    run.run('rows.0.each', [artifact('n')]);
    run.start('rows.1.each');
    run.fail('rows.1.each');
    expect(run.types()).toContain('run-failed');
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
  });
});

describe('a switch and a repeat', () => {
  it('walks only the chosen case, round after round, and keeps what was added', async () => {
    const run = await RunDriver.open(
      flow('tested')
        .repeat(
          'rounds',
          (round) =>
            round
              .switch('way', (): 'a' | 'b' => 'a', { a: () => ({ a: 1 }), b: () => ({ b: 1 }) })
              .step('decide', () => ({ n: 1 })),
          { until: () => false, most: 2 },
        )
        .step('end', () => ({})),
    );
    for (const [round, choice] of ['a', 'b'].entries()) {
      run.start(`rounds.${round}.way`);
      run.complete(`rounds.${round}.way`, { choice });
      run.run(`rounds.${round}.way.${choice}`, [artifact(choice)]);
      run.start(`rounds.${round}.decide`);
      run.complete(`rounds.${round}.decide`, { again: true, artifacts: [artifact('n', `round ${round}`)] });
    }
    expect(run.dispatched('end').inputs).toEqual([
      { branch: '', artifacts: [artifact('a'), artifact('b'), artifact('n', 'round 1')] },
    ]);
    run.run('end');
    expect(run.outputs.at(-1)?.type).toBe('run-completed');
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
  });
});

describe('a gang', () => {
  const gang = (retry = 0): unknown =>
    flow('tested')
      .gang('train', { size: 2, retry }, () => ({ m: 1 }))
      .join('meet', () => ({}));

  it('begins when all members have started, and its artifacts become facts together', async () => {
    const run = await RunDriver.open(gang());
    expect(run.start('train.0.member')).toEqual([]);
    expect(run.start('train.1.member').map(({ type }) => type)).toEqual(['gang-assembled']);
    expect(run.complete('train.1.member', { artifacts: [artifact('m', 'inline b')] })).toEqual([]);
    const said = run.complete('train.0.member', { artifacts: [artifact('m', 'inline a')] });
    expect(said.map(({ type }) => type)).toEqual(['artifact-written', 'artifact-written', 'task-dispatched']);
    expect(run.dispatched('meet').inputs.map(({ artifacts }) => artifacts[0]?.inline?.toString())).toEqual([
      undefined,
      'inline a',
      'inline b',
    ]);
    expect(run.driver.takeDeadLetters()).toEqual([]);
  });

  it('ends the attempt of all when one fails, and dispatches all of them again', async () => {
    const run = await RunDriver.open(gang(1));
    run.start('train.0.member');
    run.start('train.1.member');
    run.complete('train.0.member', { artifacts: [artifact('m')] });
    expect(run.fail('train.1.member').map(({ type }) => type)).toEqual([
      'task-retried',
      'task-dispatched',
      'task-revoked',
      'task-dispatched',
    ]);
    expect(run.types()).not.toContain('artifact-written');
    for (const rank of [0, 1])
      expect(run.dispatched(`train.${rank}.member`)).toMatchObject({ attempt: 2, dispatch: 2 });
  });

  it('goes into another round when a member finds no worker, and is given up after five, with the reason', async () => {
    const run = await RunDriver.open(gang());
    for (let round = 1; round <= 5; round++) {
      expect(run.dispatched('train.0.member')).toMatchObject({ attempt: 1, gang: { round, rank: 0, size: 2 } });
      run.start('train.0.member');
      for (let beat = 0; beat < 8; beat++) {
        run.advance(8_000);
        if (run.dispatched('train.0.member').gang?.round === round) run.beat('train.0.member');
      }
    }
    expect(run.outputs.find(({ type }) => type === 'run-failed')).toMatchObject({
      data: { kind: 'platform', message: expect.stringMatching(/needs 2 free slots .* at most 1 members/) as string },
    });
  });
});
