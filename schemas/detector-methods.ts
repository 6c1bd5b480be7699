/**
 * The methods of detectors, as data: what each finds, over what, by which effect size, with which options. Everything that must know a
 * method looks here: the check of documents, the scorer, the online detectors, the page of documentation. How a method computes is
 * written once beside it: `services/scorer/methods` (windows), `topologies/online-drift/methods.ts` (row by row).
 */
export interface DetectorMethod {
  readonly finds: 'drift' | 'outliers';
  /** `window`: a whole window against the reference, in the scorer; `row`: row by row in bounded memory, in a fold. */
  readonly runs: 'window' | 'row';
  /** `features`: each column by itself; `rows`: all columns together. */
  readonly over: 'features' | 'rows';
  /** Raised when the same input may give another number; it is named in every finding. */
  readonly version: number;
  readonly says: string;
  /** What the effect size is. */
  readonly effect: string;
  /** Effect size that a finding needs when the detector states none. */
  readonly minEffectSize: number;
  /** Whether there is a p-value. */
  readonly pValue: boolean;
  readonly needsReference: boolean;
  /** It compares given the columns that `context` names, and must have some. @default false */
  readonly needsContext?: boolean;
  /** There is no other way than a detector that was fitted before. @default false */
  readonly needsFitted?: boolean;
  /** Rows of window and reference that are used; more are sampled, and the finding says so. @default all */
  readonly rowsMax?: number;
  readonly options: Readonly<Record<string, DetectorOption>>;
}

export interface DetectorOption {
  readonly says: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly integer?: boolean;
  /** Absent: from the data. */
  readonly default?: number;
}

/** Of methods whose relabelings cost little. */
const enoughPermutations: DetectorOption = {
  says: 'random relabelings for the p-value; 0: none, the effect size alone decides; absent: as many as the level asks for, 499 at least',
  minimum: 0,
  maximum: 10_000,
  integer: true,
};
const permutations: DetectorOption = {
  ...enoughPermutations,
  says: 'random relabelings for the p-value; 0: none, the effect size alone decides',
  default: 100,
};
const sigma: DetectorOption = {
  says: 'kernel width, in standard deviations of the reference; absent: the median distance',
  minimum: 1e-9,
  maximum: 1e9,
};
const expectedRunTime: DetectorOption = {
  says: 'rows between two false alarms, over all columns together',
  minimum: 20,
  maximum: 20_000,
  integer: true,
  default: 1_000,
};
const target: DetectorOption = {
  says: 'mean in control; absent: of the reference',
  minimum: -1e300,
  maximum: 1e300,
};
const spread: DetectorOption = {
  says: 'standard deviation in control; absent: of the reference',
  minimum: 1e-300,
  maximum: 1e300,
};

const perFeature = { finds: 'drift', runs: 'window', over: 'features', version: 1, needsReference: true } as const;
const together = { ...perFeature, over: 'rows', pValue: true } as const;
const online = { ...perFeature, runs: 'row', minEffectSize: 0, effect: 'statistic / threshold' } as const;
const outlying = {
  finds: 'outliers',
  runs: 'window',
  over: 'rows',
  version: 1,
  needsReference: true,
  effect: 'score',
  minEffectSize: 0,
  pValue: false,
} as const;

export const detectorMethods = {
  tabular: {
    ...perFeature,
    // 2: exact p-values of small samples
    version: 2,
    says: 'Kolmogorov–Smirnov for numeric, chi-squared for categorical columns',
    effect: "KS distance, Cramér's V",
    minEffectSize: 0.1,
    pValue: true,
    options: {},
  },
  'kolmogorov-smirnov': {
    ...perFeature,
    version: 2,
    says: 'Kolmogorov–Smirnov, exact where rows × rows of the reference are at most 250,000',
    effect: 'KS distance',
    minEffectSize: 0.1,
    pValue: true,
    options: {},
  },
  'chi-squared': {
    ...perFeature,
    says: 'chi-squared over categories; numeric columns in tenths of the reference',
    effect: "Cramér's V",
    minEffectSize: 0.1,
    pValue: true,
    options: {},
  },
  'cramer-von-mises': {
    ...perFeature,
    says: 'Cramér–von Mises',
    effect: 'root of the mean squared distance of the distribution functions, 1: disjoint',
    minEffectSize: 0.1,
    pValue: true,
    options: {},
  },
  fisher: {
    ...perFeature,
    says: 'Fisher exact, columns of 0 and 1',
    effect: 'difference of the rates',
    minEffectSize: 0.05,
    pValue: true,
    options: {},
  },
  'mann-whitney': {
    ...perFeature,
    says: 'Mann–Whitney U',
    effect: 'rank-biserial correlation',
    minEffectSize: 0.1,
    pValue: true,
    options: {},
  },
  wasserstein: {
    ...perFeature,
    says: 'Wasserstein-1 distance',
    effect: 'distance in standard deviations of the reference',
    minEffectSize: 0.2,
    version: 2,
    pValue: true,
    rowsMax: 2_000,
    options: { permutations: enoughPermutations },
  },
  psi: {
    ...perFeature,
    says: 'population stability index over tenths of the reference, or categories',
    effect: 'PSI',
    minEffectSize: 0.2,
    version: 2,
    pValue: true,
    rowsMax: 2_000,
    options: { permutations: enoughPermutations },
  },
  'jensen-shannon': {
    ...perFeature,
    says: 'Jensen–Shannon distance (base 2) over tenths of the reference, or categories',
    effect: 'distance, 1: disjoint',
    minEffectSize: 0.2,
    version: 2,
    pValue: true,
    rowsMax: 2_000,
    options: { permutations: enoughPermutations },
  },
  'missing-values': {
    ...perFeature,
    says: 'data quality: share of missing values, Fisher exact',
    effect: 'change of the share of missing values',
    minEffectSize: 0.02,
    pValue: true,
    options: {},
  },
  'unseen-values': {
    ...perFeature,
    says: 'data quality: numbers beyond the range of the reference, categories that it does not have',
    effect: 'share of such values',
    minEffectSize: 0.02,
    pValue: false,
    options: {},
  },
  cardinality: {
    ...perFeature,
    says: 'data quality: distinct values, beside as many rows of the reference',
    effect: 'change, as a share of the larger number',
    minEffectSize: 0.5,
    pValue: false,
    options: {},
  },
  mmd: {
    ...together,
    says: 'maximum mean discrepancy, Gaussian kernel',
    effect: 'root of the unbiased MMD²',
    minEffectSize: 0.05,
    rowsMax: 500,
    options: { permutations, sigma },
  },
  'context-mmd': {
    ...together,
    needsContext: true,
    says: 'maximum mean discrepancy given the columns of `context`, which may change',
    effect: 'root of the discrepancy beyond that of relabelings',
    minEffectSize: 0.05,
    rowsMax: 150,
    options: { permutations: { ...permutations, minimum: 1 }, sigma },
  },
  lsdd: {
    ...together,
    version: 2,
    says: 'least-squares density difference',
    effect: 'root of the LSDD',
    minEffectSize: 0.05,
    rowsMax: 500,
    options: { permutations, sigma },
  },
  classifier: {
    ...together,
    says: 'classifier two-sample test: can k nearest neighbours tell the window from the reference?',
    effect: '2 · accuracy − 1 on held-out rows',
    minEffectSize: 0.1,
    rowsMax: 1_000,
    options: {
      neighbours: {
        says: 'neighbours; absent: root of the rows',
        minimum: 1,
        maximum: 500,
        integer: true,
      },
    },
  },
  'online-cramer-von-mises': {
    ...online,
    says: 'Cramér–von Mises over the newest 20 and 40 values, per column',
    pValue: false,
    options: { expectedRunTime },
  },
  'online-fisher': {
    ...online,
    version: 2,
    says: 'Fisher exact over the newest 25, 50 and 100 values of a column of 0 and 1',
    pValue: true,
    options: { expectedRunTime },
  },
  'online-mmd': {
    ...online,
    over: 'rows',
    says: 'maximum mean discrepancy of the newest rows',
    pValue: false,
    options: {
      expectedRunTime,
      windowRows: { says: 'newest rows that are compared', minimum: 2, maximum: 100, integer: true, default: 20 },
    },
  },
  'page-hinkley': {
    ...online,
    needsReference: false,
    says: 'Page–Hinkley on the mean of a column',
    pValue: false,
    options: {
      delta: { says: 'tolerated deviation, in units of the column', minimum: 0, maximum: 1e9, default: 0.005 },
      threshold: { says: 'summed deviation of an alarm', minimum: 1e-9, maximum: 1e12, default: 50 },
      minRows: { says: 'rows before the first verdict', minimum: 1, maximum: 100_000, integer: true, default: 30 },
    },
  },
  adwin: {
    ...online,
    version: 2,
    needsReference: false,
    says: 'ADWIN: an adaptive window over a column',
    effect: 'change of the mean',
    pValue: false,
    options: { delta: { says: 'false alarm rate of a check', minimum: 1e-12, maximum: 0.5, default: 0.002 } },
  },
  cusum: {
    ...online,
    says: 'tabular CUSUM of a column',
    pValue: false,
    options: {
      target,
      spread,
      allowance: { says: 'allowance, in deviations', minimum: 0, maximum: 100, default: 0.5 },
      limit: { says: 'decision limit, in deviations', minimum: 0.1, maximum: 1_000, default: 5 },
    },
  },
  ewma: {
    ...online,
    says: 'exponentially weighted moving average chart of a column',
    pValue: false,
    options: {
      target,
      spread,
      lambda: { says: 'weight of the newest value', minimum: 1e-6, maximum: 1, default: 0.2 },
      width: { says: 'width of the limits, in deviations of the average', minimum: 0.1, maximum: 100, default: 3 },
    },
  },
  kswin: {
    ...online,
    needsReference: false,
    says: 'KSWIN: the newest 30 values against a draw of the 70 before, exact Kolmogorov–Smirnov',
    effect: 'KS distance',
    pValue: true,
    options: { alpha: { says: 'significance of a check', minimum: 1e-12, maximum: 0.5, default: 0.005 } },
  },
  mahalanobis: { ...outlying, says: 'squared Mahalanobis distance', options: {} },
  'isolation-forest': {
    ...outlying,
    says: 'isolation forest',
    options: {
      trees: { says: 'trees', minimum: 1, maximum: 1_000, integer: true, default: 100 },
      sampleSize: { says: 'rows of a tree', minimum: 2, maximum: 10_000, integer: true, default: 256 },
    },
  },
  knn: {
    ...outlying,
    says: 'distance to the k-th nearest neighbour, columns standardised',
    rowsMax: 2_000,
    options: { neighbours: { says: 'k', minimum: 1, maximum: 500, integer: true, default: 20 } },
  },
  'spectral-residual': {
    ...outlying,
    over: 'features',
    says: 'spectral residual: points of a series that stand out against its rhythm; rows in their order are the series',
    options: {
      amplitudeWindow: { says: 'frequencies of a mean', minimum: 1, maximum: 100, integer: true, default: 3 },
      localWindow: { says: 'points before one', minimum: 1, maximum: 10_000, integer: true, default: 21 },
      extendedPoints: { says: 'points added at the end', minimum: 0, maximum: 100, integer: true, default: 5 },
      gradientPoints: { says: 'points that they follow from', minimum: 1, maximum: 100, integer: true, default: 5 },
    },
  },
  'onnx-reconstruction': {
    ...outlying,
    needsReference: false,
    needsFitted: true,
    says: 'a fitted ONNX model that gives its rows again (autoencoder): mean squared error over the columns',
    options: {},
  },
  'onnx-score': {
    ...outlying,
    needsReference: false,
    needsFitted: true,
    says: 'a fitted ONNX model that gives a score, larger is farther out',
    options: {},
  },
} as const satisfies Readonly<Record<string, DetectorMethod>>;

export type DetectorMethodName = keyof typeof detectorMethods;

/** Names of the methods that run so and find that. */
export type MethodsThat<Part> = {
  [Name in DetectorMethodName]: (typeof detectorMethods)[Name] extends Part ? Name : never;
}[DetectorMethodName];

export function methodOf(name: DetectorMethodName): DetectorMethod {
  return detectorMethods[name];
}

/** The options with their defaults; NaN: from the data. */
export function filledOptions(
  name: DetectorMethodName,
  given: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const { options } = methodOf(name);
  return Object.fromEntries(
    Object.entries(options).map(([option, { default: fallback }]) => [option, given[option] ?? fallback ?? Number.NaN]),
  );
}

/** Of so many random relabelings: the observed one counts as one of them. */
export function smallestPValue(permutations: number): number {
  return 1 / (permutations + 1);
}

/** What the smallest of several p-values must reach at most: by Benjamini and Hochberg, with all of them, no less than `alpha`. */
export function levelOf(alpha: number, correction: DetectorCorrection, tests: number): number {
  return correction === 'bonferroni' ? alpha / Math.max(1, tests) : alpha;
}

/** Fewer, and no finding is ever significant. */
export function leastPermutations(alpha: number, correction: DetectorCorrection, tests: number): number {
  return Math.ceil(1 / levelOf(alpha, correction, tests) - 1e-9) - 1;
}

/**
 * How many relabelings a method makes: as its detector says, else what the least p-value needs among so many columns; by Benjamini and
 * Hochberg a column that moved alone needs the same as by Bonferroni. 0: it has no p-value of that kind.
 */
export function permutationsOf({ method, options, alpha, correction }: PermutationTerms, tests: number): number {
  const { permutations: given = 0 } = filledOptions(method, options);
  if (!Number.isNaN(given)) return given;
  return Math.max(499, leastPermutations(alpha, correction === 'none' ? 'none' : 'bonferroni', tests));
}

interface PermutationTerms {
  readonly method: DetectorMethodName;
  readonly options: Readonly<Record<string, number>>;
  readonly alpha: number;
  readonly correction: DetectorCorrection;
}

export type DetectorCorrection = 'none' | 'bonferroni' | 'benjamini-hochberg';
