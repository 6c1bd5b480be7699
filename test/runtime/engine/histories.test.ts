import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deletionAndUpgrade, lateRepeat, moves, playHistory, type Tally } from './histories.ts';

describe('generated histories', () => {
  it('give each request one answer in order, whatever dies in between', { timeout: 240_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const tally: Tally = {};
    await fc.assert(
      fc.asyncProperty(moves, (history) => playHistory(history, tally)),
      { seed, numRuns: 30, endOnFailure: true, examples: [[deletionAndUpgrade], [lateRepeat]] },
    );
    console.log(JSON.stringify(tally));
    for (const what of [
      'crashes',
      'duplicates',
      'zombies',
      'storeLosses',
      'commitFaults',
      'poison',
      'upgrades',
      'deletions',
    ])
      expect(tally[what], what).toBeGreaterThan(0);
  });
});
