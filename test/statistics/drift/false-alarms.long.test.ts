/** How often each test rejects a true null hypothesis: 1,000 seeded runs for closed forms, 200 for permutation tests. */
import { describe, expect, test } from 'vitest';
import { addPair, EMPTY_SEQUENTIAL_NORMAL } from '../../../statistics/ab-test/sequential.ts';
import { sampleRatioMismatch } from '../../../statistics/ab-test/traffic-split.ts';
import { twoProportionTest } from '../../../statistics/ab-test/two-proportion.ts';
import { welchTest } from '../../../statistics/ab-test/welch.ts';
import { chiSquaredTwoSample } from '../../../statistics/drift/chi2.ts';
import { cvmTwoSample } from '../../../statistics/drift/cvm.ts';
import { fisherExact } from '../../../statistics/drift/fisher.ts';
import { ksOneSample, ksTwoSample } from '../../../statistics/drift/ks.ts';
import { lsddTest } from '../../../statistics/drift/lsdd.ts';
import { fitMahalanobis, scoreMahalanobis } from '../../../statistics/outliers/mahalanobis.ts';
import { mannWhitney } from '../../../statistics/drift/mann-whitney.ts';
import { mmdTest } from '../../../statistics/drift/mmd.ts';
import { type Random, seededRandom } from '../../../statistics/random.ts';
import { momentsOf } from '../../../statistics/samples/running-moments.ts';
import { normalCdf } from '../../../statistics/special/normal.ts';
import { tabularDrift } from '../../../statistics/drift/tabular-drift.ts';

const SEED = 20_240_517;
const ALPHA = 0.05;

/** Share of runs that reject at ALPHA; the first run's stream is the seed's, the others follow in it. */
function rejectionRate(name: string, runs: number, pValue: (random: Random) => number): number {
  const random = seededRandom(SEED);
  let rejected = 0;
  for (let run = 0; run < runs; run++) if (pValue(random) <= ALPHA) rejected += 1;
  const rate = rejected / runs;
  console.info(`${name}: ${rejected} of ${runs} rejected at ${ALPHA} (seed ${SEED})`);
  return rate;
}

function normals(random: Random, n: number): Float64Array {
  return Float64Array.from({ length: n }, () => random.normal());
}

function categories(random: Random, n: number): string[] {
  return Array.from({ length: n }, () => 'aabbbc'[random.integer(6)]!);
}

function points(random: Random, n: number): number[][] {
  return Array.from({ length: n }, () => [random.normal(), random.normal()]);
}

function successes(random: Random, n: number, rate: number): number {
  let count = 0;
  for (let i = 0; i < n; i++) if (random.uniform() < rate) count += 1;
  return count;
}

/** Four standard deviations of the rate over so many runs. */
function slack(runs: number): number {
  return 4 * Math.sqrt((ALPHA * (1 - ALPHA)) / runs);
}

/** [name, p-value of one run, lowest rate that is not too timid]. Discrete and corrected tests may stay below ALPHA. */
const closedForms: [string, (random: Random) => number, number][] = [
  ['KS exact', (r) => ksTwoSample(normals(r, 60), normals(r, 80), { method: 'exact' }).pValue, 0.02],
  ['KS asymptotic', (r) => ksTwoSample(normals(r, 300), normals(r, 400), { method: 'asymptotic' }).pValue, 0.02],
  ['KS one-sample', (r) => ksOneSample(normals(r, 100), normalCdf).pValue, ALPHA - slack(1000)],
  ['Cramér–von Mises', (r) => cvmTwoSample(normals(r, 60), normals(r, 80)).pValue, 0.02],
  ['Mann–Whitney', (r) => mannWhitney(normals(r, 60), normals(r, 80)).pValue, 0.02],
  ['chi-squared', (r) => chiSquaredTwoSample(categories(r, 200), categories(r, 300)).pValue, 0.02],
  [
    'Fisher',
    (r) => {
      const a = successes(r, 100, 0.3);
      const b = successes(r, 150, 0.3);
      return fisherExact([
        [a, 100 - a],
        [b, 150 - b],
      ]).pValue;
    },
    0.01,
  ],
  ['Welch', (r) => welchTest(momentsOf(normals(r, 20)), momentsOf(normals(r, 50).map((x) => 3 * x))).pValue, 0.02],
  [
    'two proportions',
    (r) =>
      twoProportionTest(
        { successes: successes(r, 400, 0.2), trials: 400 },
        { successes: successes(r, 300, 0.2), trials: 300 },
      ).pValue,
    0.02,
  ],
  [
    'sample ratio mismatch',
    (r) => {
      const first = successes(r, 1000, 0.9);
      return sampleRatioMismatch([first, 1000 - first], [0.9, 0.1]).pValue;
    },
    0.02,
  ],
  [
    'Mahalanobis of a new row',
    (r) => scoreMahalanobis(fitMahalanobis(points(r, 300)), [r.normal(), r.normal()]).pValue,
    0.02,
  ],
];

describe('closed forms keep their false alarm rate', () => {
  test.each(closedForms)('%s', (name, pValue, lowest) => {
    const rate = rejectionRate(name, 1000, pValue);
    expect(rate).toBeLessThanOrEqual(ALPHA + slack(1000));
    expect(rate).toBeGreaterThanOrEqual(lowest);
  });

  test.each(['bonferroni', 'benjamini-hochberg'] as const)('a whole table under %s', (correction) => {
    const table = (r: Random, n: number) => ({
      a: normals(r, n),
      b: normals(r, n).map(Math.exp),
      c: categories(r, n),
      d: normals(r, n),
    });
    const rate = rejectionRate(`table, ${correction}`, 1000, (r) =>
      tabularDrift(table(r, 200), table(r, 150), { correction, alpha: ALPHA }).drift ? 0 : 1,
    );
    expect(rate).toBeLessThanOrEqual(ALPHA + slack(1000));
    expect(rate).toBeGreaterThanOrEqual(0.015);
  });

  test('a sequential comparison that is looked at after each of 300 pairs', () => {
    const rate = rejectionRate('mixture SPRT', 1000, (r) => {
      let state = EMPTY_SEQUENTIAL_NORMAL;
      for (let i = 0; i < 300; i++) state = addPair(state, r.normal(), r.normal(), { variance: 2, tau: 0.5 });
      return state.pValue;
    });
    expect(rate).toBeLessThanOrEqual(ALPHA + slack(1000));
    expect(rate).toBeGreaterThan(0);
  });
});

describe('permutation tests at n = 100 keep their false alarm rate', () => {
  test.each<[string, (random: Random) => number]>([
    ['MMD', (r) => mmdTest(points(r, 100), points(r, 100), r, { permutations: 99 }).pValue],
    ['LSDD', (r) => lsddTest(points(r, 100), points(r, 100), r, { permutations: 99, centres: 20 }).pValue],
  ])(
    '%s',
    (name, pValue) => {
      const rate = rejectionRate(name, 200, pValue);
      expect(rate).toBeLessThanOrEqual(ALPHA + slack(200));
      expect(rate).toBeGreaterThan(0);
    },
    300_000,
  );
});
