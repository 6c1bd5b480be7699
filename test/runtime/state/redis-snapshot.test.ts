import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { snapshotPage } from '../../../runtime/adapters/state/redis-snapshot.ts';

type Values = Map<string, string>;

/** What the script answers: entries above the cursor, at most `limit`, key and value by turns, and whether that is all. */
function page(values: Values, cursor: string, limit: number): readonly [number, readonly Buffer[]] {
  const keys = [...values.keys()].filter((key) => key > cursor).sort();
  const shown = keys.slice(0, limit);
  return [keys.length < limit ? 1 : 0, shown.flatMap((key) => [Buffer.from(key), Buffer.from(values.get(key) ?? '')])];
}

describe('putting a Redis snapshot together', () => {
  const key = fc.integer({ min: 0, max: 40 }).map((number) => `k${String(number).padStart(2, '0')}`);
  const write = fc.record({ key, value: fc.option(fc.constantFrom('', 'x', 'new'), { nil: undefined }) });
  const histories = fc.record({
    initial: fc.array(fc.tuple(key, fc.constantFrom('', 'old', 'v')), { maxLength: 60 }),
    limit: fc.integer({ min: 1, max: 9 }),
    /** Writes between one page and the next; undefined is a delete. */
    writes: fc.array(fc.array(write, { maxLength: 12 }), { maxLength: 60 }),
  });

  it('gives the state of its position, whatever is written while it is read', () => {
    fc.assert(
      fc.property(histories, ({ initial, limit, writes }) => {
        const live: Values = new Map(initial);
        const images: Values = new Map();
        const expected = [...live].sort(([a], [b]) => (a < b ? -1 : 1));
        const read: (readonly [string, string])[] = [];
        let cursor: string | undefined = '';
        for (let round = 0; cursor !== undefined; round++) {
          for (const { key: written, value } of writes[round] ?? []) {
            const before = live.get(written);
            if (!images.has(written)) images.set(written, before === undefined ? 'x' : `v${before}`);
            if (value === undefined) live.delete(written);
            else live.set(written, value);
          }
          const answer = ['OK', ...page(live, cursor, limit), ...page(images, cursor, limit)];
          const next: ReturnType<typeof snapshotPage> = snapshotPage('t/0', answer);
          for (const [found, value] of next.entries) read.push([found, Buffer.from(value).toString()]);
          cursor = next.cursor;
        }
        expect(read).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('says that a snapshot has expired, or that its owner was replaced', () => {
    expect(() => snapshotPage('t/0', ['EXPIRED'])).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
    expect(() => snapshotPage('t/0', ['FENCED', '2'])).toThrow(expect.objectContaining({ code: 'FENCED' }));
  });
});
