/**
 * Distances of two samples of a column. Of few rows a distance is never 0, however alike the two are: PSI over 10 bins is about 9 (1/n + 1/m)
 * by chance. So each has a p-value, by relabeling, which holds for any number of rows.
 */
import { jensenShannonDistance } from '../../../statistics/drift/divergence.ts';
import { sequentialPValue } from '../../../statistics/drift/permutation-test.ts';
import { binnedCounts, labelledWasserstein, poolSamples } from '../../../statistics/drift/pooled-sample.ts';
import { psiFromCounts } from '../../../statistics/drift/psi.ts';
import type { FeatureSample, FeatureTest } from './feature-tests.ts';

type Counts = readonly [reference: ArrayLike<number>, current: ArrayLike<number>];

/** @param of the distance as it is reported */
export function distanceTest(
  test: string,
  of: (sample: FeatureSample) => number,
  relabelled: (sample: FeatureSample) => Relabelled | undefined,
): FeatureTest['test'] {
  return (sample, { options, random }) => {
    const statistic = of(sample);
    const permutations = options['permutations'] ?? 0;
    const labelled = permutations === 0 || Number.isNaN(statistic) ? undefined : relabelled(sample);
    const pValue =
      labelled === undefined ? Number.NaN : sequentialPValue(labelled.labels, labelled.statistic, random, permutations);
    return { test, statistic, pValue, effectSize: statistic };
  };
}

interface Relabelled {
  /** As observed: 1 of the window. */
  readonly labels: Uint8Array;
  statistic(labels: Uint8Array): number;
}

export const relabelledCounts =
  (distance: (...counts: Counts) => number) =>
  (sample: FeatureSample): Relabelled => {
    if (sample.categorical) return relabelledCodes(sample, distance);
    const pooled = poolSamples(sample.reference, sample.current);
    return { labels: pooled.labels, statistic: (labels) => distance(...binnedCounts(pooled, labels)) };
  };

export const psiDistance = (...counts: Counts): number => psiFromCounts(...counts);
export const jensenShannon = (...counts: Counts): number => jensenShannonDistance(...counts, 2);

function relabelledCodes({ reference, current }: FeatureSample, distance: (...counts: Counts) => number): Relabelled {
  const values = [...reference, ...current];
  const codes = new Map([...new Set(values)].map((code, index) => [code, index]));
  const indices = Uint32Array.from(values, (value) => codes.get(value) ?? 0);
  return {
    labels: Uint8Array.from(values, (_, row) => (row < reference.length ? 0 : 1)),
    statistic: (labels) => {
      const [before, now] = [new Float64Array(codes.size), new Float64Array(codes.size)];
      for (let row = 0; row < indices.length; row++) {
        const counts = labels[row] === 0 ? before : now;
        const code = indices[row] ?? 0;
        counts[code] = (counts[code] ?? 0) + 1;
      }
      return distance(before, now);
    },
  };
}

/** Infinite values have no place to be carried from: they are left out. */
export function relabelledWasserstein({ reference, current }: FeatureSample): Relabelled {
  const pooled = poolSamples(reference.filter(Number.isFinite), current.filter(Number.isFinite));
  return { labels: pooled.labels, statistic: (labels) => labelledWasserstein(pooled, labels) };
}
