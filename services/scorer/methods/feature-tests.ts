/** How the methods that look at one column at a time compute; what they are is said in `schemas/detector-methods.ts`. */
import type { DetectorMethod, MethodsThat } from '../../../schemas/detector-methods.ts';
import { chiSquaredContingency } from '../../../statistics/drift/chi2.ts';
import { cvmTwoSample } from '../../../statistics/drift/cvm.ts';
import { fisherExact } from '../../../statistics/drift/fisher.ts';
import { ksTwoSample } from '../../../statistics/drift/ks.ts';
import { mannWhitney } from '../../../statistics/drift/mann-whitney.ts';
import { psiCounts, psiEdges } from '../../../statistics/drift/psi.ts';
import type { Random } from '../../../statistics/random.ts';
import { standardisedWasserstein } from '../../../statistics/drift/wasserstein.ts';
import { distanceTest, jensenShannon, psiDistance, relabelledCounts, relabelledWasserstein } from './distance-tests.ts';

export interface FeatureSample {
  /** Without missing values; none is empty unless the test asks for such samples. */
  readonly reference: Float64Array;
  readonly current: Float64Array;
  readonly categorical: boolean;
  /** Missing values that were left out. */
  readonly missing: { readonly reference: number; readonly current: number };
}

export interface TestOptions {
  readonly options: Readonly<Record<string, number>>;
  readonly random: Random;
}

/** NaN: not there. */
export interface Tested {
  readonly test: string;
  readonly statistic: number;
  readonly pValue: number;
  readonly effectSize: number;
}

export interface FeatureTest {
  /** Which columns it can take. */
  readonly takes: 'numeric' | 'any' | 'binary';
  /** It can judge a column without any value. @default false */
  readonly empty?: boolean;
  test(sample: FeatureSample, with_: TestOptions): Tested;
}

type FeatureMethod = MethodsThat<{ finds: 'drift'; runs: 'window'; over: 'features' } & Partial<DetectorMethod>>;

export const featureTests: Readonly<Record<FeatureMethod, FeatureTest>> = {
  tabular: { takes: 'any', test: (sample) => (sample.categorical ? chiSquared(sample) : kolmogorovSmirnov(sample)) },
  'kolmogorov-smirnov': { takes: 'numeric', test: kolmogorovSmirnov },
  'chi-squared': { takes: 'any', test: chiSquared },
  'cramer-von-mises': {
    takes: 'numeric',
    test: ({ reference, current }) => {
      const { statistic, pValue } = cvmTwoSample(reference, current, 'asymptotic', 'steps');
      const m = reference.length;
      const n = current.length;
      // T = mn / (m + n) ∫ (F − G)² dH, which is at most 1/3 of that factor.
      const effectSize = Math.min(1, Math.sqrt((3 * Math.max(0, statistic) * (m + n)) / (m * n)));
      return { test: 'cramer-von-mises', statistic, pValue, effectSize };
    },
  },
  fisher: {
    takes: 'binary',
    test: ({ reference, current }) => {
      const ones = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
      const [before, now] = [ones(reference), ones(current)];
      const { statistic, pValue } = fisherExact([
        [now, current.length - now],
        [before, reference.length - before],
      ]);
      const effectSize = Math.abs(now / current.length - before / reference.length);
      return { test: 'fisher', statistic, pValue, effectSize };
    },
  },
  'mann-whitney': {
    takes: 'numeric',
    test: ({ reference, current }) => {
      const { statistic, pValue, effectSize } = mannWhitney(current, reference);
      return { test: 'mann-whitney', statistic, pValue, effectSize: Math.abs(2 * effectSize - 1) };
    },
  },
  wasserstein: { takes: 'numeric', test: distanceTest('wasserstein', wassersteinOf, relabelledWasserstein) },
  psi: { takes: 'any', test: distanceTest('psi', psiOf, relabelledCounts(psiDistance)) },
  'jensen-shannon': {
    takes: 'any',
    test: distanceTest('jensen-shannon', jensenShannonOf, relabelledCounts(jensenShannon)),
  },
  'missing-values': { takes: 'any', empty: true, test: missingValues },
  'unseen-values': { takes: 'any', test: unseenValues },
  cardinality: { takes: 'any', test: cardinality },
};

/** Of a reference sample: it is compared with many windows, and this is computed for the first of them. */
function once<T>(compute: (reference: Float64Array) => T): (reference: Float64Array) => T {
  const known = new WeakMap<Float64Array, { readonly value: T }>();
  return (reference) => {
    const kept = known.get(reference) ?? { value: compute(reference) };
    known.set(reference, kept);
    return kept.value;
  };
}

const sortedOf = once((reference) => reference.slice().sort());
const edgesOf = once((reference) => psiEdges(reference));
const binsOf = once((reference) => psiCounts(reference, edgesOf(reference)));
const codesOf = once(countCodes);

function kolmogorovSmirnov({ reference, current }: FeatureSample): Tested {
  const { statistic, pValue } = ksTwoSample(sortedOf(reference), current, { xIsSorted: true });
  return { test: 'kolmogorov-smirnov', statistic, pValue, effectSize: statistic };
}

function chiSquared(sample: FeatureSample): Tested {
  const { statistic, pValue, effectSize } = chiSquaredContingency(sample.categorical ? codes(sample) : bins(sample));
  return { test: 'chi-squared', statistic, pValue, effectSize };
}

type Counts = readonly [reference: readonly number[], current: readonly number[]];

/** Counts of each code of either side, in the order of their texts. */
function codes({ reference, current }: FeatureSample): Counts {
  const [before, now] = [codesOf(reference), countCodes(current)];
  const all = [...new Set([...before.keys(), ...now.keys()])].sort((a, b) => (String(a) < String(b) ? -1 : 1));
  return [all.map((code) => before.get(code) ?? 0), all.map((code) => now.get(code) ?? 0)];
}

function countCodes(values: Float64Array): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** Counts in each tenth of the reference. */
function bins({ reference, current }: FeatureSample): Counts {
  return [binsOf(reference), psiCounts(current, edgesOf(reference))];
}

/** Infinite values have no place to be carried from: they are left out. */
function wassersteinOf({ reference, current }: FeatureSample): number {
  const [before, now] = [reference.filter(Number.isFinite), current.filter(Number.isFinite)];
  return before.length === 0 || now.length === 0 ? Number.NaN : standardisedWasserstein(before, now);
}

/** Also what stands beside the result of every other method. */
export function psiOf(sample: FeatureSample): number {
  return psiDistance(...(sample.categorical ? codes(sample) : bins(sample)));
}

function jensenShannonOf(sample: FeatureSample): number {
  return jensenShannon(...(sample.categorical ? codes(sample) : bins(sample)));
}

function missingValues({ reference, current, missing }: FeatureSample): Tested {
  const [before, now] = [reference.length + missing.reference, current.length + missing.current];
  const { pValue } = fisherExact([
    [missing.current, current.length],
    [missing.reference, reference.length],
  ]);
  const share = missing.current / now;
  const effectSize = Math.abs(share - missing.reference / before);
  return { test: 'missing-values', statistic: share, pValue, effectSize };
}

function unseenValues({ reference, current, categorical }: FeatureSample): Tested {
  const seen = new Set(categorical ? reference : []);
  const low = reference.reduce((a, b) => Math.min(a, b), Infinity);
  const high = reference.reduce((a, b) => Math.max(a, b), -Infinity);
  const isUnseen = (value: number): boolean => (categorical ? !seen.has(value) : value < low || value > high);
  const unseen = current.filter(isUnseen).length;
  const effectSize = unseen / current.length;
  return { test: 'unseen-values', statistic: unseen, pValue: Number.NaN, effectSize };
}

function cardinality({ reference, current }: FeatureSample, { random }: TestOptions): Tested {
  const rows = Math.min(reference.length, current.length);
  const distinct = (values: Float64Array): number =>
    new Set(values.length === rows ? values : random.sample(values.length, rows).map((place) => values[place])).size;
  const [before, now] = [distinct(reference), distinct(current)];
  const effectSize = Math.abs(now - before) / Math.max(now, before);
  return { test: 'cardinality', statistic: now, pValue: Number.NaN, effectSize };
}
