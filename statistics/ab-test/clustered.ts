/**
 * The mean of rows that come in clusters (rows of one request, which share its route and are alike), in O(1) memory: rows of one cluster
 * count as far as they differ. The variance of the mean is that of a ratio of sums over clusters. Sources: Cochran 1977 §6.3; Deng,
 * Knoblich and Lu 2018 (delta method); the same as cluster-robust standard errors of a mean with the correction k / (k − 1).
 */
import type { RunningMoments } from '../samples/running-moments.ts';

/** Beside {@link RunningMoments} of all rows: sums over clusters i of n rows with sum s. */
export interface WithinClusters {
  readonly clusters: number;
  /** Of n (n − 1). */
  readonly pairs: number;
  /** Of s (n − 1). */
  readonly sums: number;
  /** Of the products of two different rows. */
  readonly products: number;
}

export const EMPTY_CLUSTERS: WithinClusters = { clusters: 0, pairs: 0, sums: 0, products: 0 };

/** After one more row. @param before rows of its cluster that were added before, and their sum. */
export function addToClusters(
  state: WithinClusters,
  value: number,
  before: { readonly rows: number; readonly sum: number },
): WithinClusters {
  const { rows, sum } = before;
  return {
    clusters: state.clusters + (rows === 0 ? 1 : 0),
    pairs: state.pairs + 2 * rows,
    sums: state.sums + value * rows + sum,
    products: state.products + 2 * value * sum,
  };
}

/**
 * Moments of as many values as there are clusters, with the mean of all rows and its variance: what a test or an interval for independent
 * values is given. With one row per cluster they are the moments of the rows.
 */
export function clusterMoments(rows: RunningMoments, within: WithinClusters): RunningMoments {
  const { count, mean } = rows;
  const { clusters, pairs, sums, products } = within;
  if (pairs === 0 || count === 0) return rows;
  const share = clusters / count;
  // sum over clusters of (s − n · mean)²
  const between = rows.squaredDeviations + products - 2 * mean * sums + mean * mean * pairs;
  return { count: clusters, mean, squaredDeviations: share * share * Math.max(0, between) };
}
