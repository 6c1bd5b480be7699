import { describe, expect, it } from 'vitest';
import { type CrashPoint, crashPoints } from '../../runtime/engine/crash-points.ts';
import { seededRandom } from '../../statistics/random.ts';
import { drawHistogram, histogramOf, landedInFlight } from './crash-reports.ts';
import { killAgainAndAgain, type KillPlan } from './kill.ts';
import { problemsOf } from './nothing-lost.ts';

/** `load` is over before there is work, and nobody here asks for replies on a topic: these have tests of their own. */
const elsewhere: readonly CrashPoint[] = ['before-load', 'after-load', 'before-reply', 'after-reply'];

describe('a platform that is killed at every named point, and then at random', () => {
  it('loses nothing and counts nothing twice', { timeout: 900_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const random = seededRandom(seed);
    // a victim has one or two runs of its own, and a run one upload
    const named = crashPoints
      .filter((point) => !elsewhere.includes(point))
      .map((point) => ({ point, times: point.endsWith('-upload') ? 1 : 2 }));
    const atRandom = Array.from({ length: 8 }, () => ({
      point:
        (['before-commit', 'after-commit', 'before-append', 'after-append'] as const)[random.integer(4)] ??
        'after-commit',
      times: 1 + random.integer(120),
    }));
    const plan: KillPlan = { kills: [...named, ...atRandom], predictions: 400, runs: 40 };
    const { crashes, findings } = await killAgainAndAgain(plan);
    console.log(drawHistogram(crashes));
    const histogram = histogramOf(crashes);
    for (const { point } of named) expect(histogram.get(point)?.[0] ?? 0, point).toBeGreaterThanOrEqual(1);
    expect(crashes.filter(landedInFlight).length).toBeGreaterThanOrEqual(20);
    expect(problemsOf(findings)).toEqual([]);
  });
});
