import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moves, playHistory, type Tally } from './histories.ts';

/** At least this many histories, and every kind of fault among them. */
const histories = 1_000;

describe('a thousand generated histories', () => {
  it('give each request one answer in order, and every kind of fault occurred', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const tally: Tally = {};
    await fc.assert(
      fc.asyncProperty(moves, (history) => playHistory(history, tally)),
      { seed, numRuns: histories, endOnFailure: true },
    );
    console.log(JSON.stringify(tally));
    for (const what of [
      'crashes',
      'duplicates',
      'rebalances',
      'zombies',
      'lateAppends',
      'storeLosses',
      'storesGoneBack',
      'commitFaults',
      'poison',
      'replays',
      'repeatsOnTheLog',
      'upgrades',
      'deletions',
    ]) {
      expect(tally[what], what).toBeGreaterThan(20);
    }
  });
});
