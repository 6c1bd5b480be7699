/**
 * Drift of a mixed table, feature by feature: Kolmogorov–Smirnov for numeric columns, chi-squared for categorical
 * ones, with one correction over all features. P-values shrink with the sample, so each feature also carries effect
 * sizes that do not: the KS distance or Cramér's V, and the population stability index.
 */
import { requireFraction, withoutMissing } from '../arguments.ts';
import { chiSquaredTwoSample } from './chi2.ts';
import { ksTwoSample, type KsOptions } from './ks.ts';
import { correctPValues, type Correction } from './multiple-testing.ts';
import { psiCategorical, psiNumeric } from './psi.ts';

/** Columns by name: numbers (NaN = missing) or texts (null = missing). */
export type Column = ArrayLike<number> | readonly (string | null)[];
export type Table = Readonly<Record<string, Column>>;

export interface TabularDriftOptions {
  /** Columns that hold categories; numbers in them are compared as texts. Text columns are always categorical. */
  readonly categorical?: readonly string[];
  /** @default 0.05 */
  readonly alpha?: number;
  /** @default 'bonferroni' */
  readonly correction?: Correction;
  /** A feature drifts only if its effect size also reaches this. @default 0 */
  readonly minimumEffect?: number;
  /** Method of the KS p-value. @default 'asymptotic' */
  readonly ksMethod?: KsOptions['method'];
  /** Bins of the numeric psi. @default 10 */
  readonly psiBins?: number;
}

export interface FeatureDrift {
  readonly feature: string;
  readonly test: 'kolmogorov-smirnov' | 'chi-squared' | 'none';
  /** null when the feature could not be tested: a side has no value. */
  readonly statistic: number | null;
  readonly pValue: number | null;
  readonly adjustedPValue: number | null;
  /** KS distance or Cramér's V: 0 no difference, 1 disjoint. */
  readonly effectSize: number | null;
  readonly psi: number | null;
  readonly drift: boolean;
  /** Values used of reference and current, missing ones left out. */
  readonly counts: readonly [number, number];
}

export interface TabularDrift {
  /** Does any feature drift? */
  readonly drift: boolean;
  readonly alpha: number;
  readonly correction: Correction;
  /** The raw p-value at or below which a feature is significant. */
  readonly threshold: number;
  readonly minimumEffect: number;
  readonly features: readonly FeatureDrift[];
}

/**
 * Compares two tables with the same columns.
 * @throws RangeError when a column is missing on one side or the tables have no column.
 */
export function tabularDrift(reference: Table, current: Table, options: TabularDriftOptions = {}): TabularDrift {
  const alpha = options.alpha ?? 0.05;
  const correction = options.correction ?? 'bonferroni';
  const minimumEffect = options.minimumEffect ?? 0;
  requireFraction('alpha', alpha);
  const names = Object.keys(reference);
  if (names.length === 0) throw new RangeError('reference must have at least one column');
  for (const name of Object.keys(current)) {
    if (!Object.hasOwn(reference, name)) throw new RangeError(`reference has no column ${JSON.stringify(name)}`);
  }
  const tested = names.map((name) => {
    const before = reference[name] ?? [];
    const now = Object.hasOwn(current, name) ? current[name] : undefined;
    if (now === undefined) throw new RangeError(`current has no column ${JSON.stringify(name)}`);
    const categorical = options.categorical?.includes(name) === true || isText(before) || isText(now);
    return categorical ? testCategories(name, before, now) : testNumbers(name, before, now, options);
  });
  const corrected = correctPValues(
    tested.map(({ pValue }) => pValue),
    correction,
    alpha,
  );
  const features = tested.map((feature, i) => ({
    ...feature,
    adjustedPValue: corrected.adjusted[i] ?? null,
    drift: corrected.reject[i] === true && (feature.effectSize ?? 0) >= minimumEffect,
  }));
  const { threshold } = corrected;
  return { drift: features.some(({ drift }) => drift), alpha, correction, threshold, minimumEffect, features };
}

type TestedFeature = Omit<FeatureDrift, 'adjustedPValue' | 'drift'>;

function testNumbers(feature: string, before: Column, now: Column, options: TabularDriftOptions): TestedFeature {
  const reference = withoutMissing(numbers(feature, before));
  const current = withoutMissing(numbers(feature, now));
  const counts = [reference.length, current.length] as const;
  if (reference.length === 0 || current.length === 0) return untested(feature, counts);
  const { statistic, pValue } = ksTwoSample(reference, current, { method: options.ksMethod ?? 'asymptotic' });
  const { psi } = psiNumeric(reference, current, options.psiBins);
  return { feature, test: 'kolmogorov-smirnov', statistic, pValue, effectSize: statistic, psi, counts };
}

function testCategories(feature: string, before: Column, now: Column): TestedFeature {
  const reference = categories(before);
  const current = categories(now);
  const counts = [reference.length, current.length] as const;
  if (reference.length === 0 || current.length === 0) return untested(feature, counts);
  const { statistic, pValue, effectSize } = chiSquaredTwoSample(reference, current);
  const { psi } = psiCategorical(reference, current);
  return { feature, test: 'chi-squared', statistic, pValue, effectSize, psi, counts };
}

function untested(feature: string, counts: readonly [number, number]): TestedFeature {
  return { feature, test: 'none', statistic: null, pValue: null, effectSize: null, psi: null, counts };
}

function isText(column: Column): boolean {
  return Array.from(column as ArrayLike<number | string | null>).some((value) => typeof value === 'string');
}

function numbers(feature: string, column: Column): number[] {
  return Array.from(column as ArrayLike<number | string | null>, (value, i) => {
    if (value === null) return Number.NaN;
    if (typeof value !== 'number') {
      throw new RangeError(`column ${JSON.stringify(feature)} row ${i} must be a number, got ${String(value)}`);
    }
    return value;
  });
}

function categories(column: Column): string[] {
  return Array.from(column as ArrayLike<number | string | null>)
    .filter((value) => value !== null && !(typeof value === 'number' && Number.isNaN(value)))
    .map(String);
}
