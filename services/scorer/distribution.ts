import type { ComparedDistribution } from '../../schemas/api/findings.ts';
import { sharedHistogram } from '../../statistics/drift/divergence.ts';
import { psiCategorical } from '../../statistics/drift/psi.ts';
import { quantile } from '../../statistics/samples/quantiles.ts';
import type { ComparedColumn } from './compared-columns.ts';

const bins = 24;
const categoriesMax = 24;

/** Both sides in one set of bins or categories. `labels`: what the codes 0, 1, … of a category are called. */
export function distributionOf(
  { name, categorical, reference, current }: ComparedColumn,
  labels: readonly string[] = [],
): ComparedDistribution {
  const before = Float64Array.from(reference).filter((value) => !Number.isNaN(value));
  const now = Float64Array.from(current).filter((value) => !Number.isNaN(value));
  const missing = {
    reference: reference.length === 0 ? 0 : 1 - before.length / reference.length,
    window: current.length === 0 ? 0 : 1 - now.length / current.length,
  };
  const about = { name, categorical, missing };
  if (before.length === 0 || now.length === 0)
    return { ...about, edges: [], categories: [], reference: [], window: [] };
  if (categorical) {
    const { categories, referenceCounts, currentCounts } = psiCategorical(
      Array.from(before, String),
      Array.from(now, String),
    );
    const shown = categories.map((_, index) => index).slice(0, categoriesMax);
    return {
      ...about,
      edges: [],
      categories: shown.map((index) => labels[Number(categories[index])] ?? categories[index] ?? ''),
      reference: shown.map((index) => (referenceCounts[index] ?? 0) / before.length),
      window: shown.map((index) => (currentCounts[index] ?? 0) / now.length),
    };
  }
  // A single value far out must not press all others into one bin.
  const finite = (values: Float64Array): Float64Array => values.filter(Number.isFinite);
  const ends = [finite(before), finite(now)].filter(({ length }) => length > 0);
  if (ends.length === 0) return { ...about, edges: [], categories: [], reference: [], window: [] };
  const low = Math.min(...ends.map((values) => quantile(values, 0.005)));
  const high = Math.max(...ends.map((values) => quantile(values, 0.995)));
  const clamp = (values: Float64Array): Float64Array => values.map((value) => Math.min(high, Math.max(low, value)));
  const { edges, xCounts, yCounts } = sharedHistogram(clamp(before), clamp(now), low === high ? 1 : bins);
  return {
    ...about,
    edges,
    categories: [],
    reference: xCounts.map((count) => count / before.length),
    window: yCounts.map((count) => count / now.length),
  };
}
