/** Windows of one column put together. */
import type { ValueSummary } from '../../../schemas/api/feature-statistics.ts';
import { quantileLevels } from '../../../schemas/quantile-levels.ts';
import {
  countedQuantiles,
  distinctMax,
  EMPTY_MOMENTS,
  histogramOf,
  mergedQuantiles,
  mergeMoments,
} from '../../../statistics/index.ts';
import type { StoredColumn } from './rows.ts';

const bins = 24;
const shown = { p1: 0.01, p5: 0.05, p25: 0.25, p50: 0.5, p75: 0.75, p95: 0.95, p99: 0.99 } as const;

type Categories = readonly string[] | null;

export function summaryOf(parts: readonly StoredColumn[], categories: Categories): ValueSummary {
  const filled = parts.filter(({ count }) => count > 0);
  const moments = filled
    .map(({ count, mean, squaredDeviations }) => ({ count, mean, squaredDeviations }))
    .reduce(mergeMoments, EMPTY_MOMENTS);
  const values = valuesOf(filled, categories);
  const at =
    values === undefined
      ? mergedQuantiles(filled, quantileLevels, Object.values(shown))
      : countedQuantiles(values, Object.values(shown));
  const { count, mean, squaredDeviations } = moments;
  const isEmpty = count === 0;
  return {
    count,
    missing: parts.reduce((sum, { missing }) => sum + missing, 0),
    infinite: parts.reduce((sum, { infinite }) => sum + infinite, 0),
    min: isEmpty ? null : Math.min(...filled.map(({ min }) => min)),
    max: isEmpty ? null : Math.max(...filled.map(({ max }) => max)),
    mean: isEmpty ? null : mean,
    sd: count < 2 ? null : Math.sqrt(squaredDeviations / (count - 1)),
    quantiles: isEmpty
      ? null
      : (Object.fromEntries(Object.keys(shown).map((name, place) => [name, at[place] ?? Number.NaN])) as NonNullable<
          ValueSummary['quantiles']
        >),
    values: (values ?? []).map(([value, times]) => ({ value, label: categories?.[value] ?? null, count: times })),
  };
}

export function histogram(parts: readonly StoredColumn[]): { readonly edges: number[]; readonly shares: number[] } {
  return histogramOf(
    parts.filter(({ count }) => count > 0),
    quantileLevels,
    bins,
  );
}

/** One column in the place of those of several windows. */
export function mergedColumn(
  first: StoredColumn,
  others: readonly StoredColumn[],
  categories: Categories,
): StoredColumn {
  if (others.length === 0) return first;
  const parts = [first, ...others];
  const filled = parts.filter(({ count }) => count > 0);
  const moments = filled
    .map(({ count, mean, squaredDeviations }) => ({ count, mean, squaredDeviations }))
    .reduce(mergeMoments, EMPTY_MOMENTS);
  const values = valuesOf(filled, categories);
  return {
    ...first,
    ...moments,
    missing: parts.reduce((sum, { missing }) => sum + missing, 0),
    infinite: parts.reduce((sum, { infinite }) => sum + infinite, 0),
    min: filled.reduce((least, { min }) => Math.min(least, min), Infinity),
    max: filled.reduce((most, { max }) => Math.max(most, max), -Infinity),
    quantiles:
      values === undefined
        ? mergedQuantiles(filled, quantileLevels, quantileLevels)
        : countedQuantiles(values, quantileLevels),
    values: (values ?? []).map(([value, count]) => ({ value, count })),
  };
}

/** The most frequent first; undefined when some window had too many distinct ones, or they have together. */
function valuesOf(
  parts: readonly StoredColumn[],
  categories: Categories,
): readonly (readonly [number, number])[] | undefined {
  // Beside those that are known.
  const most = distinctMax + (categories?.length ?? 0);
  const counts = new Map<number, number>();
  for (const { values } of parts) {
    if (values.length === 0) return undefined;
    for (const { value, count } of values) counts.set(value, (counts.get(value) ?? 0) + count);
    if (counts.size > most) return undefined;
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || a - b);
}
