import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Receiver } from '../../../runtime/engine/receiver.ts';
import { parseStamp, stampPrefix } from '../../../runtime/engine/stamp.ts';

const stamp = (ordinal: number, branch = 0, origin = 'toy/0'): string =>
  `${stampPrefix(origin, branch, 'registry', 1)}${ordinal}`;

describe('the stamp check', () => {
  it('takes what an origin says first as its baseline, then each next ordinal once', () => {
    const receiver = new Receiver({}, 10);
    expect(receiver.judge(stamp(17), 0)).toEqual({ type: 'taken' });
    expect(receiver.judge(stamp(18), 1)).toEqual({ type: 'taken' });
    expect(receiver.judge(stamp(18), 2)).toEqual({ type: 'repeat' });
    expect(receiver.judge(stamp(17), 3)).toEqual({ type: 'repeat' });
    expect(receiver.judge(stamp(1, 0, 'toy/1'), 4)).toEqual({ type: 'taken' });
  });

  it('names the range that an origin skipped, and goes on behind it', () => {
    const receiver = new Receiver({ 'toy/0': [0, 4] }, 10);
    expect(receiver.judge(stamp(8), 0)).toEqual({ type: 'gap', origin: 'toy/0', fromOrdinal: 5, toOrdinal: 7 });
    expect(receiver.judge(stamp(9), 1)).toEqual({ type: 'taken' });
    expect(receiver.judge(stamp(6), 2)).toEqual({ type: 'repeat' });
  });

  it('refuses an older branch once a newer one spoke, and sees a gap over the fork', () => {
    const receiver = new Receiver({ 'toy/0': [0, 9] }, 10);
    expect(receiver.judge(stamp(7, 1), 0)).toEqual({ type: 'taken' });
    expect(receiver.judge(stamp(10, 0), 1)).toEqual({ type: 'stale-branch' });
    expect(receiver.judge(stamp(8, 1), 2)).toEqual({ type: 'taken' });
    const late = new Receiver({ 'toy/0': [0, 9] }, 10);
    expect(late.judge(stamp(12, 1), 0)).toMatchObject({ type: 'gap', fromOrdinal: 10, toOrdinal: 11 });
  });

  it('goes on with the watermarks that were committed', () => {
    const before = new Receiver({}, 10);
    before.judge(stamp(1), 0);
    before.judge(stamp(2), 1);
    const after = new Receiver(before.watermarks(), 10);
    expect(after.judge(stamp(2), 2)).toEqual({ type: 'repeat' });
    expect(after.judge(stamp(3), 3)).toEqual({ type: 'taken' });
  });

  it('does not take a derived id for a stamp', () => {
    for (const id of ['', 'request-1', 'a/b', 'a/b/c', 'toy/0.x/registry/1/5', 'toy/0.0/registry/1/0'])
      expect(parseStamp(id)).toBeUndefined();
    expect(parseStamp('toy/12.3/registry/1/5')).toEqual({ origin: 'toy/12', branch: 3, ordinal: 5 });
  });
});

describe('the id window', () => {
  it('drops an id that occurred within the last records, and takes it behind them', () => {
    const receiver = new Receiver({}, 3);
    expect(receiver.judge('a', 0)).toEqual({ type: 'taken' });
    expect(receiver.judge('a', 2)).toEqual({ type: 'repeat' });
    expect(receiver.judge('a', 4)).toEqual({ type: 'repeat' });
    expect(receiver.judge('a', 7)).toEqual({ type: 'taken' });
  });

  it('judges alike whether or not the process restarted in between', () => {
    const window = 5;
    fc.assert(
      fc.property(fc.array(fc.nat(6), { maxLength: 60 }), fc.nat(60), (ids, restartAt) => {
        const whole = new Receiver({}, window);
        const verdicts = ids.map((id, offset) => whole.judge(`id-${id}`, offset).type);
        const reread = new Receiver({}, window);
        for (let offset = Math.max(0, restartAt - window); offset < Math.min(restartAt, ids.length); offset++)
          reread.remember(`id-${ids[offset]}`, offset);
        const after = ids.slice(restartAt).map((id, index) => reread.judge(`id-${id}`, restartAt + index).type);
        expect(after).toEqual(verdicts.slice(restartAt));
      }),
      { numRuns: 300 },
    );
  });
});
