import { beforeEach, describe, expect, it } from 'vitest';
import { flow } from '../../../sdk/index.ts';
import { Flows, only, runIds, type Said } from './fixture.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 2, 1);
let flows: Flows;
beforeEach(async () => {
  flows = await Flows.open(start);
});

const nightly = (options: object = {}) =>
  flow('train')
    .parameter('at', { type: 'string', default: '' })
    .parameter('size', { type: 'integer', default: 1 })
    .schedule({ every: '1h', slot: 'at', parameters: { size: 5 }, ...options })
    .step('a', () => ({}));

const told = (said: readonly Said[]) =>
  only(said, 'slots-judged').map(({ outcome, firstMs, lastMs, count }) => [
    outcome,
    (Number(firstMs) - start) / hour,
    (Number(lastMs) - start) / hour,
    count,
  ]);

/** Slots at these hours, said at an hour. */
function said(at: number, hours: readonly number[], more = false): readonly Said[] {
  flows.advance(start + at * hour - flows.driver.nowMs);
  return flows.slots(
    'train',
    hours.map((one) => start + one * hour),
    more,
  );
}

describe('a slot on time', () => {
  it('starts one run with its time and parameters, however often it is said', () => {
    flows.deploy(nightly());
    const first = said(1, [1]);
    expect(only(first, 'run-requested')).toMatchObject([
      {
        parameters: JSON.stringify({ at: '2026-03-01T01:00:00.000Z', size: 5 }),
        cause: { kind: 'schedule', id: 'schedule@2026-03-01T01:00:00.000Z' },
      },
    ]);
    expect(told(first)).toEqual([['started', 1, 1, 1]]);
    expect(said(1, [1])).toEqual([]);
    expect(said(1.5, [0, 1])).toEqual([]);
  });

  it('is refused when the schedule is gone, and tells a scheduler whose clock is ahead to come later', () => {
    flows.deploy(nightly());
    const early = said(1, [1, 2]);
    expect(told(early)).toEqual([
      ['started', 1, 1, 1],
      ['early', 2, 2, 1],
    ]);
    flows.end('train', runIds(early)[0]);
    expect(told(said(2, [2]))).toEqual([['started', 2, 2, 1]]);
    flows.deploy(flow('train').step('a', () => ({})));
    expect(told(said(3, [3]))).toEqual([['refused', 3, 3, 1]]);
  });
});

describe('slots that passed while nobody could say them', () => {
  it.each([
    ['none', [['missed', 1, 3, 3]]],
    [
      'last',
      [
        ['missed', 1, 2, 2],
        ['started', 3, 3, 1],
      ],
    ],
    [
      'all',
      [
        ['started', 1, 1, 1],
        ['started', 2, 2, 1],
        ['started', 3, 3, 1],
      ],
    ],
  ])('start as catchUp: %s says', (catchUp, expected) => {
    flows.deploy(nightly({ catchUp, overlap: 'allow' }));
    expect(told(said(3.5, [1, 2, 3]))).toEqual(expected);
    expect(told(said(4, [4]))).toEqual([['started', 4, 4, 1]]);
  });

  it('start only the very last one, also when they come in several records', () => {
    flows.deploy(nightly({ catchUp: 'last', overlap: 'allow' }));
    expect(told(said(4.5, [1, 2], true))).toEqual([['missed', 1, 2, 2]]);
    expect(told(said(4.5, [3, 4]))).toEqual([
      ['missed', 3, 3, 1],
      ['started', 4, 4, 1],
    ]);
  });

  it('start from where the schedule was after a new version with the same schedule, and from now with another', () => {
    flows.deploy(nightly({ catchUp: 'all', overlap: 'allow' }));
    flows.advance(2.5 * hour);
    expect(only(flows.deploy(nightly({ catchUp: 'all', overlap: 'allow' })), 'flow-deployed')).toMatchObject([
      { schedules: [{ schedule: 'schedule', lastMs: start }] },
    ]);
    const other = flows.deploy(nightly({ every: '2h', catchUp: 'all', overlap: 'allow' }));
    expect(only(other, 'flow-deployed')).toMatchObject([{ schedules: [{ lastMs: start + 2.5 * hour }] }]);
  });
});

describe('a slot while a run of its schedule is open', () => {
  it.each([
    ['skip', 'skipped', []],
    ['queue', 'queued', [['started', 2, 2, 1]]],
    ['allow', 'started', []],
  ])('with overlap: %s is %s', (overlap, outcome, afterTheEnd) => {
    flows.deploy(nightly({ overlap }));
    const [first] = runIds(said(1, [1]));
    flows.start('train');
    expect(told(said(2, [2]))).toEqual([[outcome, 2, 2, 1]]);
    expect(told(flows.end('train', first))).toEqual(afterTheEnd);
  });
});

describe('a backfill', () => {
  it('makes a run for each slot, also for those that ran, one after the other where the schedule wants it so', () => {
    flows.deploy(nightly());
    flows.end('train', runIds(said(1, [1]))[0]);
    const slots = [1, 2, 3].map((at) => ({ atMs: start + at * hour, local: `slot ${at}` }));
    const request = { flow: 'train', requestId: 'b1', schedule: 'schedule', slots, actor: 'grace' };
    const accepted = flows.pipe('backfill-requested', request);
    expect(only(accepted, 'backfill-accepted')).toMatchObject([{ started: 1, queued: 2, refused: 0 }]);
    expect(flows.pipe('backfill-requested', request)).toEqual([]);
    const runs = [...runIds(accepted)];
    for (let next = runs[0]; next !== undefined; ) {
      const [started] = runIds(flows.end('train', next));
      if (started !== undefined) runs.push(started);
      next = started;
    }
    expect(runs).toHaveLength(3);
    const last = only(flows.said, 'run-requested').at(-1);
    expect(last).toMatchObject({ actor: 'grace', cause: { kind: 'backfill', id: 'schedule@slot 3' } });
    expect(JSON.parse(String(last?.['parameters']))).toEqual({ at: 'slot 3', size: 5 });
  });

  it('is refused for a schedule that is not there, and names those that are', () => {
    flows.deploy(nightly());
    const request = { flow: 'train', requestId: 'b1', schedule: 'weekly', slots: [], actor: 'grace' };
    expect(only(flows.pipe('backfill-requested', request), 'start-refused')).toMatchObject([
      { reason: "flow 'train' has no schedule 'weekly'; it has 'schedule'" },
    ]);
  });
});
