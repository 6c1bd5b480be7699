/**
 * Pearson's chi-squared and the likelihood-ratio (G) tests on counts. Rows and columns that are empty everywhere say
 * nothing and are dropped. Counts must be finite and not negative (weights are allowed).
 */
import { requireCounts, requireLength, requirePositive, requireSameLength } from '../arguments.ts';
import { chiSquaredSurvival } from '../special/chi-squared.ts';

export interface ChiSquaredResult {
  readonly statistic: number;
  readonly pValue: number;
  readonly degreesOfFreedom: number;
}

export interface ContingencyResult extends ChiSquaredResult {
  /** Cramér's V within [0, 1]: 0 no association. */
  readonly effectSize: number;
  /** Expected counts of the rows and columns that were kept. */
  readonly expected: readonly (readonly number[])[];
}

export interface ContingencyOptions {
  /** 'yates' applies to 2×2 tables only. @default 'none' */
  readonly correction?: 'none' | 'yates';
  /** @default 'pearson' */
  readonly statistic?: 'pearson' | 'likelihood-ratio';
}

/**
 * Independence of rows and columns. One row per sample, one column per category.
 * A table with a single row or column left has nothing to test: statistic 0, p-value 1.
 * @throws RangeError for a ragged, negative or all-zero table.
 */
export function chiSquaredContingency(
  table: readonly ArrayLike<number>[],
  options: ContingencyOptions = {},
): ContingencyResult {
  const observed = withoutEmptyLines(table);
  const rowSums = observed.map(sum);
  const columnSums = (observed[0] ?? []).map((_, j) => sum(observed.map((row) => row[j] ?? 0)));
  const total = sum(rowSums);
  const expected = rowSums.map((row) => columnSums.map((column) => (row / total) * column));
  const degreesOfFreedom = (rowSums.length - 1) * (columnSums.length - 1);
  const yates = options.correction === 'yates' && degreesOfFreedom === 1;
  const term = options.statistic === 'likelihood-ratio' ? likelihoodRatioTerm : pearsonTerm;
  const cellTerm = (o: number, e: number) => term(yates ? o + clamp(e - o, 0.5) : o, e);
  const statistic = sum(observed.map((row, i) => sum(row.map((o, j) => cellTerm(o, expected[i]?.[j] ?? 0)))));
  if (degreesOfFreedom === 0) return { statistic: 0, pValue: 1, degreesOfFreedom, effectSize: 0, expected };
  const smaller = Math.min(rowSums.length, columnSums.length) - 1;
  return {
    statistic,
    pValue: chiSquaredSurvival(statistic, degreesOfFreedom),
    degreesOfFreedom,
    effectSize: Math.min(1, Math.sqrt(Math.max(0, statistic) / total / smaller)),
    expected,
  };
}

/**
 * Goodness of fit of counts to expected counts with the same sum (within 1e−6 of it).
 * @param expected @default equal shares
 */
export function chiSquaredGoodnessOfFit(
  observed: ArrayLike<number>,
  expected?: ArrayLike<number>,
  statistic: 'pearson' | 'likelihood-ratio' = 'pearson',
): ChiSquaredResult {
  requireLength('observed', observed, 2);
  requireCounts('observed', observed);
  const counts = Array.from(observed);
  const total = sum(counts);
  const shares = expected === undefined ? counts.map(() => total / counts.length) : Array.from(expected);
  requireSameLength('observed', counts, 'expected', shares);
  shares.forEach((share, i) => requirePositive(`expected[${i}]`, share));
  if (Math.abs(sum(shares) - total) > 1e-6 * total) {
    throw new RangeError(`expected must sum to the observed total ${total}, got ${sum(shares)}`);
  }
  const term = statistic === 'pearson' ? pearsonTerm : likelihoodRatioTerm;
  const value = sum(counts.map((o, i) => term(o, shares[i] ?? 0)));
  const degreesOfFreedom = counts.length - 1;
  return { statistic: value, pValue: chiSquaredSurvival(value, degreesOfFreedom), degreesOfFreedom };
}

export interface CategoryTable {
  /** The union of categories, in ascending text order. */
  readonly categories: readonly string[];
  /** Two rows of counts: reference, current. */
  readonly table: readonly [readonly number[], readonly number[]];
}

/** Counts two categorical samples over the union of their categories. */
export function countCategories(reference: readonly string[], current: readonly string[]): CategoryTable {
  const categories = [...new Set([...reference, ...current])].sort();
  const index = new Map(categories.map((category, i) => [category, i]));
  const count = (values: readonly string[]) => {
    const counts = categories.map(() => 0);
    for (const value of values) {
      const i = index.get(value) ?? 0;
      counts[i] = (counts[i] ?? 0) + 1;
    }
    return counts;
  };
  return { categories, table: [count(reference), count(current)] };
}

/** Two-sample test that two categorical samples have one distribution. @throws RangeError for an empty sample. */
export function chiSquaredTwoSample(
  reference: readonly string[],
  current: readonly string[],
): ContingencyResult & CategoryTable {
  requireLength('reference', reference, 1);
  requireLength('current', current, 1);
  const counted = countCategories(reference, current);
  return { ...counted, ...chiSquaredContingency(counted.table) };
}

function pearsonTerm(observed: number, expected: number): number {
  return ((observed - expected) / expected) * (observed - expected);
}

function likelihoodRatioTerm(observed: number, expected: number): number {
  return observed === 0 ? 0 : 2 * observed * Math.log(observed / expected);
}

function withoutEmptyLines(table: readonly ArrayLike<number>[]): number[][] {
  const columns = table[0]?.length ?? 0;
  table.forEach((row, i) => {
    if (row.length !== columns) throw new RangeError(`table[${i}] must have ${columns} columns, got ${row.length}`);
    requireCounts(`table[${i}]`, row);
  });
  const rows = table.map((row) => Array.from(row)).filter((row) => row.some((count) => count > 0));
  if (rows.length === 0) throw new RangeError('table must hold at least one count above 0');
  const kept = (rows[0] ?? []).map((_, j) => rows.some((row) => (row[j] ?? 0) > 0));
  return rows.map((row) => row.filter((_, j) => kept[j]));
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
