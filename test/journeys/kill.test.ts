import { describe, expect, it } from 'vitest';
import { drawHistogram, landedInFlight } from './crash-reports.ts';
import { killAgainAndAgain, type KillPlan } from './kill.ts';
import { problemsOf } from './nothing-lost.ts';

/** A few telling points; `kill.long.test.ts` has all of them. */
const plan: KillPlan = {
  kills: [
    { point: 'after-commit', times: 12 },
    { point: 'before-append', times: 25 },
    { point: 'after-claim', times: 2 },
    { point: 'before-complete', times: 2 },
    { point: 'after-batch', times: 1 },
    { point: 'after-append', times: 60 },
    { point: 'after-upload', times: 1 },
    { point: 'before-commit', times: 40 },
  ],
  predictions: 150,
  runs: 20,
};

describe('a platform that is killed at named points', () => {
  it('loses nothing and counts nothing twice', { timeout: 280_000 }, async () => {
    const { crashes, findings } = await killAgainAndAgain(plan);
    console.log(drawHistogram(crashes));
    expect(crashes.filter(landedInFlight).length).toBeGreaterThanOrEqual(5);
    expect(problemsOf(findings)).toEqual([]);
  });
});
