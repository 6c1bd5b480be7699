/** Distances of relabelings against the plain computation of each, and p-values that hold wherever the drawing stops. */
import { describe, expect, it } from 'vitest';
import { permutationPValue, sequentialPValue } from '../../../statistics/drift/permutation-test.ts';
import { binnedCounts, labelledWasserstein, poolSamples } from '../../../statistics/drift/pooled-sample.ts';
import { psiNumeric } from '../../../statistics/drift/psi.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { standardisedWasserstein } from '../../../statistics/drift/wasserstein.ts';

const seed = 'pooled samples';

describe('two samples that are sorted together', () => {
  it.each([
    ['numbers', (random: ReturnType<typeof seededRandom>) => random.normal()],
    ['ties', (random: ReturnType<typeof seededRandom>) => random.integer(4)],
    ['one value', () => 3],
  ])('have the same distances as by themselves, under any labels: %s', (_, draw) => {
    const random = seededRandom(seed);
    for (let run = 0; run < 50; run++) {
      const reference = Array.from({ length: 2 + random.integer(60) }, () => draw(random));
      const current = Array.from({ length: 2 + random.integer(60) }, () => draw(random));
      const pooled = poolSamples(reference, current);
      const relabelled = random.shuffle(Uint8Array.from(pooled.labels));
      for (const labels of [pooled.labels, relabelled]) {
        const before = Array.from(pooled.values).filter((_value, row) => labels[row] === 0);
        const now = Array.from(pooled.values).filter((_value, row) => labels[row] === 1);
        const { referenceCounts, currentCounts } = psiNumeric(before, now);
        expect(binnedCounts(pooled, labels), `seed '${seed}', run ${run}`).toEqual([referenceCounts, currentCounts]);
        const distance = labelledWasserstein(pooled, labels);
        const plain = standardisedWasserstein(before, now);
        if (Number.isFinite(plain)) expect(distance).toBeCloseTo(plain, 9);
        else expect(distance).toBe(plain);
      }
    }
  });

  it('are refused with a value that is missing, or without any', () => {
    expect(() => poolSamples([1, Number.NaN], [1])).toThrow(RangeError);
    expect(() => poolSamples([], [1])).toThrow(/reference/);
  });
});

describe('a p-value that stops drawing early', () => {
  const difference = (values: readonly number[]) => (labels: Uint8Array) => {
    const mean = (side: number) => {
      const own = values.filter((_, row) => labels[row] === side);
      return own.reduce((a, b) => a + b, 0) / own.length;
    };
    return Math.abs(mean(0) - mean(1));
  };
  const samples = (shift: number, random: ReturnType<typeof seededRandom>): [readonly number[], Uint8Array] => [
    Array.from({ length: 60 }, (_, row) => random.normal() + (row < 30 ? 0 : shift)),
    Uint8Array.from({ length: 60 }, (_, row) => (row < 30 ? 0 : 1)),
  ];

  it('rejects no more often than its level, and hardly draws when there is nothing', () => {
    const random = seededRandom(seed);
    const runs = 1_000;
    let [rejected, drawn] = [0, 0];
    for (let run = 0; run < runs; run++) {
      const [values, labels] = samples(0, random);
      const statistic = difference(values);
      const counted = (candidate: Uint8Array): number => {
        drawn += 1;
        return statistic(candidate);
      };
      if (sequentialPValue(labels, counted, random, 199) <= 0.05) rejected += 1;
    }
    console.info(`${rejected} of ${runs} at 0.05, ${drawn / runs} statistics each (seed '${seed}')`);
    expect(rejected / runs).toBeLessThan(0.05 + 4 * Math.sqrt((0.05 * 0.95) / runs));
    expect(rejected / runs).toBeGreaterThan(0.02);
    expect(drawn / runs).toBeLessThan(110);
  });

  it.each([0, Number.POSITIVE_INFINITY])('is 1 where every relabeling has the same statistic: %d', (statistic) => {
    const [, labels] = samples(0, seededRandom(seed));
    expect(sequentialPValue(labels, () => statistic, seededRandom('p'), 199)).toBe(1);
  });

  it('is the plain one where it does not stop', () => {
    const [values, labels] = samples(2, seededRandom(seed));
    expect(sequentialPValue(labels, difference(values), seededRandom('p'), 199)).toBe(1 / 200);
    expect(permutationPValue(labels, difference(values), seededRandom('p'), 199).pValue).toBe(1 / 200);
  });
});
