/**
 * How often each method of the catalogue raises a false alarm, as a deployment runs it: rows of window and reference are of one distribution.
 * What is checked follows from the catalogue, so a method that is added is checked, too.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { detectorMethods, type DetectorMethodName, methodOf } from '../../../schemas/detector-methods.ts';
import { type Detector, type DetectorSettings, detectorsOf } from '../../../schemas/detectors.ts';
import type { Column } from '../../../schemas/events.ts';
import { parseReference, referenceBytes } from '../../../services/scorer/reference-sample.ts';
import { scoreWindow } from '../../../services/scorer/score-window.ts';
import { type Random, seededRandom } from '../../../statistics/random.ts';

const alpha = 0.05;
const seed = 'false alarms of the catalogue';
const names = Object.keys(detectorMethods) as DetectorMethodName[];
const byPermutation = (name: DetectorMethodName): boolean => 'permutations' in methodOf(name).options;

/** How each method keeps what it promises. `effect`: it promises no rate, its effect size alone decides. */
function promiseOf(name: DetectorMethodName): 'p-value' | 'permutations' | 'effect' | 'share of rows' | 'run time' {
  const { runs, finds, pValue } = methodOf(name);
  if (runs === 'row') return 'run time';
  if (finds === 'outliers') return 'share of rows';
  if (byPermutation(name)) return 'permutations';
  return pValue ? 'p-value' : 'effect';
}
const promising = (promise: ReturnType<typeof promiseOf>): DetectorMethodName[] =>
  names.filter((name) => promiseOf(name) === promise && methodOf(name).needsFitted !== true);

function detector(method: DetectorMethodName, settings: Partial<DetectorSettings> = {}): Detector {
  const [found] = detectorsOf({
    monitors: {
      window: { rows: 100, minRows: 20, maxAgeMs: 1_000 },
      referenceHash: 'a'.repeat(64),
      detectors: [
        {
          ...{ name: 'watch', method, alpha, correction: 'none', minEffectSize: 0 },
          ...(methodOf(method).needsContext === true ? { context: ['context'] } : {}),
          ...settings,
        },
      ],
    },
  });
  return found as Detector;
}

/** Fisher takes columns of 0 and 1, chi-squared is asked about categories; the share of missing values is about holes. */
function value(method: DetectorMethodName, random: Random): number {
  if (method === 'fisher') return random.uniform() < 0.3 ? 1 : 0;
  if (method === 'chi-squared') return random.integer(3);
  if (method === 'missing-values' && random.uniform() < 0.2) return Number.NaN;
  return random.normal();
}
const features = (method: DetectorMethodName, columns: readonly Column[]) =>
  columns.map(({ name }) => ({
    name,
    kind: method === 'chi-squared' ? ('categorical' as const) : ('numeric' as const),
  }));
const table = (method: DetectorMethodName, random: Random, rows: number, width: number): Column[] =>
  Array.from({ length: width }, (_, column) => ({
    name: `c${column}`,
    values: Array.from({ length: rows }, () => value(method, random)),
  }));

/** Contexts of the window are others than those of the reference; what follows from a context is alike. */
function given(columns: readonly Column[], context: () => number): Column[] {
  const values = (columns[0]?.values ?? []).map(context);
  const followed = columns.map(({ name, values: noise }) => ({
    name,
    values: noise.map((value, row) => 2 * Math.sin(values[row] ?? 0) + value),
  }));
  return [...followed, { name: 'context', values }];
}

function verdict(method: DetectorMethodName, random: Random, run: number, rows: number, settings = {}) {
  const width = methodOf(method).over === 'rows' ? 2 : 1;
  const { needsContext = false } = methodOf(method);
  const drawn = (context: () => number): Column[] => {
    const plain = table(method, random, rows, width);
    return needsContext ? given(plain, context) : plain;
  };
  const columns = drawn(() => 1 + 0.5 * random.normal());
  const reference = parseReference(
    referenceBytes(
      drawn(() => random.normal()),
      [],
    ),
  );
  const window = { windowId: `${seed}/${run}`, rows, columns, outputs: [], features: features(method, columns) };
  const predictionIds = Array.from({ length: rows }, (_, row) => `p${row}`);
  return scoreWindow(detector(method, settings), { ...window, predictionIds }, reference);
}

function rateOf(method: DetectorMethodName, runs: number, rows: number, settings = {}): number {
  const random = seededRandom(`${seed}/${method}`);
  let alarms = 0;
  for (let run = 0; run < runs; run++) {
    const found = verdict(method, random, run, rows, settings);
    if (found.finds === 'drift' && found.drifted) alarms += 1;
  }
  console.info(`${method}: ${alarms} of ${runs} at ${alpha} (seed '${seed}/${method}')`);
  return alarms / runs;
}

/** Four standard deviations of a rate over so many runs. */
const slack = (runs: number): number => 4 * Math.sqrt((alpha * (1 - alpha)) / runs);

describe('methods with a p-value in closed form', () => {
  it.each(promising('p-value'))(
    '%s alarms in at most the stated share of 1,000 windows',
    (method) => {
      const runs = 1_000;
      const rate = rateOf(method, runs, 100);
      expect(rate).toBeLessThanOrEqual(alpha + slack(runs));
      expect(rate, 'a test that never rejects finds nothing').toBeGreaterThan(0.005);
    },
    300_000,
  );
});

describe('methods by permutation', () => {
  it.each(promising('permutations'))(
    '%s alarms in at most the stated share of 200 windows of 100 rows',
    (method) => {
      // LSDD costs ten times as much as the others: fewer relabelings make the same promise.
      const permutations = method === 'lsdd' ? 39 : 99;
      const rate = rateOf(method, 200, 100, { options: { permutations } });
      expect(rate).toBeLessThanOrEqual(alpha + slack(200));
      expect(rate).toBeGreaterThan(0);
    },
    300_000,
  );
});

/** Distances are larger the fewer the rows, also where nothing has changed: the effect size alone would be an alarm. */
describe('distances of small windows, as a deployment has them by default', () => {
  const distances = ['psi', 'jensen-shannon', 'wasserstein'] as const;
  const tableOf = (random: Random, rows: number, shift = 0): Column[] =>
    Array.from({ length: 10 }, (_, column) => ({
      name: `c${column}`,
      values: Array.from({ length: rows }, () => random.exponential() + (column === 0 ? shift : 0)),
    }));
  const alarmsOf = (
    method: DetectorMethodName,
    rows: number,
    runs: number,
    { shift = 0, options = {} } = {},
  ): number => {
    const random = seededRandom(`${seed}/${method}/${rows}`);
    const { minEffectSize } = methodOf(method);
    const own = detector(method, { correction: 'bonferroni', minEffectSize, options });
    let alarms = 0;
    for (let run = 0; run < runs; run++) {
      const columns = tableOf(random, rows, shift);
      const reference = parseReference(referenceBytes(tableOf(random, 1_000), []));
      const window = { windowId: `${seed}/${run}`, rows, columns, outputs: [], features: features(method, columns) };
      const found = scoreWindow(own, { ...window, predictionIds: [] }, reference);
      if (found.finds === 'drift' && found.drifted) alarms += 1;
    }
    console.info(
      `${method}, ${rows} rows, ${JSON.stringify({ shift, options })}: ${alarms} of ${runs} (seed '${seed}')`,
    );
    return alarms / runs;
  };

  it.each(distances.flatMap((method) => [20, 50, 100, 200].map((rows) => [method, rows] as const)))(
    '%s raises a false alarm in at most the stated share of 200 windows of %i rows',
    (method, rows) => {
      expect(alarmsOf(method, rows, 200)).toBeLessThanOrEqual(alpha + slack(200));
    },
    300_000,
  );

  it.each(distances)(
    '%s by its effect size alone would raise one in nearly every window of 20 rows',
    (method) => {
      expect(alarmsOf(method, 20, 200, { options: { permutations: 0 } })).toBeGreaterThan(0.9);
    },
    300_000,
  );

  it.each(distances)(
    '%s finds a column that moved by its standard deviation in nearly every window of 50 rows',
    (method) => {
      expect(alarmsOf(method, 50, 100, { shift: 1 })).toBeGreaterThan(0.95);
    },
    300_000,
  );
});

describe('methods by effect size alone', () => {
  it.each(promising('effect'))('%s does not reach its default effect size where nothing has changed', (method) => {
    const { minEffectSize } = methodOf(method);
    expect(rateOf(method, 100, 500, { minEffectSize })).toBe(0);
  });
});

describe('outlier detectors', () => {
  it.each(promising('share of rows'))(
    '%s puts about the stated share of fresh rows beyond its threshold',
    (method) => {
      const random = seededRandom(`${seed}/${method}`);
      const [runs, rows, falsePositiveRate] = [20, 500, 0.05];
      let beyond = 0;
      for (let run = 0; run < runs; run++) {
        const found = verdict(method, random, run, rows, { falsePositiveRate });
        if (found.finds === 'outliers') beyond += found.outliers.length;
      }
      console.info(`${method}: ${beyond} of ${runs * rows} rows at ${falsePositiveRate} (seed '${seed}/${method}')`);
      expect(beyond / (runs * rows)).toBeGreaterThan(falsePositiveRate * 0.6);
      expect(beyond / (runs * rows)).toBeLessThan(falsePositiveRate * 1.7);
    },
    120_000,
  );
});

/** The test of `test/statistics/online/run-times.long.test.ts` that shows how long each runs without a change; null: it promises no run time. */
const runTimeTests: Readonly<Record<string, string | null>> = {
  'online-cramer-von-mises': 'online Cramér–von Mises: as stated, whatever the distribution',
  'online-fisher': 'online Fisher: as stated, for fresh references and streams',
  'online-mmd': 'online maximum mean discrepancy: as stated, for fresh references and streams',
  cusum: 'CUSUM: the published 465 for k = 0.5, h = 5',
  ewma: 'EWMA: the published 500 for weight 0.1, width 2.814',
  adwin: 'ADWIN: rarely in 1,000 values at its default confidence',
  'page-hinkley': null,
  kswin: null,
};

it('methods that go row by row each have a test of their run time, or promise none', () => {
  expect(Object.keys(runTimeTests).sort()).toEqual([...promising('run time')].sort());
  const tests = readFileSync(new URL('../../statistics/online/run-times.long.test.ts', import.meta.url), 'utf8');
  for (const [method, test] of Object.entries(runTimeTests)) {
    if (test !== null) expect(tests, method).toContain(`test('${test}'`);
  }
});
