/** The promise of `recommendedMonitors`, over 50 shuffles of the data. */
import { describe, expect, it } from 'vitest';
import { rowsToAlarm } from '../../../schemas/recommended-monitors.ts';
import { streamDiamonds } from './diamond-stream.ts';

const seeds = 50;

describe(`the drift alarm over ${seeds} shuffles of the diamonds`, () => {
  it('comes within the stated rows after the shift in each, and in none before', { timeout: 900_000 }, async () => {
    const delays: number[] = [];
    let windows = 0;
    let drifted = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const result = await streamDiamonds(seed);
      expect(result.raisedAt, `seed ${seed}`).toHaveLength(1);
      delays.push((result.raisedAt[0] ?? 0) - result.shiftAt);
      windows += result.windows;
      drifted += result.driftedWindowsBefore;
    }
    delays.sort((a, b) => a - b);
    console.log(
      `rows to the alarm: least ${delays[0]}, median ${delays[seeds / 2]}, most ${delays.at(-1)}, promised ${rowsToAlarm}; ` +
        `${drifted} of ${windows} windows called drifted before the shift`,
    );
    expect(delays[0]).toBeGreaterThan(0);
    expect(delays.at(-1)).toBeLessThanOrEqual(rowsToAlarm);
  });
});
