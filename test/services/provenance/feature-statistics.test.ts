import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { StatisticsSearch } from '../../../schemas/api/feature-statistics.ts';
import type { FeaturesSummarized } from '../../../schemas/events.ts';
import { quantileLevels } from '../../../schemas/quantile-levels.ts';
import { type Provenance, startProvenance } from '../../../services/provenance/index.ts';
import { addToColumnSummary, columnQuantiles, emptyColumnSummary } from '../../../statistics/samples/column-summary.ts';
import { mean, squaredDeviations as deviations } from '../../../statistics/samples/descriptive.ts';
import { seededRandom } from '../../../statistics/random.ts';

const minute = 60_000;
const begin = 1_700_000_040_000;
const random = seededRandom('feature-statistics');
/** Of ten minutes: the level moves in the second half, where the version is another one. */
const minutes = Array.from({ length: 10 }, (_, n) =>
  Array.from({ length: 400 }, () => random.normal() * 2 + (n < 5 ? 0 : 20)),
);
const document = {
  name: 'diamonds',
  routes: [],
  features: [
    { name: 'carat', kind: 'numeric' },
    { name: 'cut', kind: 'categorical', categories: ['Fair', 'Ideal'] },
  ],
};

let test: TestRuntime;
let provenance: Provenance;
beforeAll(async () => {
  test = await createTestRuntime();
  const { runtime } = test;
  const applied = [1, 2].map((version) => ({
    topic: 'deployment-events',
    type: 'deployment-applied',
    key: 'diamonds',
    id: `d${version}`,
    data: {
      deployment: 'diamonds',
      version,
      document: JSON.stringify(document),
      actor: 'ada',
      requestId: `r${version}`,
    },
  }));
  const said = minutes.map((values, n) => ({
    topic: 'feature-statistics',
    type: 'features-summarized',
    key: 'diamonds',
    id: `f${n}`,
    data: windowOf(n, values),
  }));
  // Ten values of its own each minute, and more minutes than are read at once.
  const many = Array.from({ length: 450 }, (_, n) => ({
    topic: 'feature-statistics',
    type: 'features-summarized',
    key: 'sparse',
    id: `s${n}`,
    data: {
      ...windowOf(
        n,
        Array.from({ length: 10 }, (__, i) => 10 * n + i),
      ),
      deployment: 'sparse',
      deploymentVersion: 1,
    },
  }));
  await runtime.publish([...applied, ...said, ...many] as never);
  provenance = await startProvenance(
    runtime,
    queryStores({ directory: test.directory, 'query.url': '', 'kafka.prefix': '' } as never, 'query'),
    test.directory,
  );
}, 60_000);
afterAll(async () => {
  await provenance.close();
  await test.close();
});

/** The cut of row i is i mod 4 = 0; of the first minute a tenth is missing. */
function windowOf(n: number, values: readonly number[]): FeaturesSummarized {
  const columns = [
    {
      name: 'x[0]',
      kind: 'input',
      values: n === 0 ? values.map((value, i) => (i % 10 === 0 ? Number.NaN : value)) : values,
    },
    { name: 'x[1]', kind: 'input', values: values.map((_, i) => (i % 4 === 0 ? 1 : 0)) },
    { name: 'probability', kind: 'output', values: values.map((_, i) => i / 400) },
  ];
  return {
    deployment: 'diamonds',
    deploymentVersion: n < 5 ? 1 : 2,
    startMs: begin + n * minute,
    endMs: begin + (n + 1) * minute,
    rows: 400,
    predictions: 200,
    lateRows: n === 3 ? 7 : 0,
    columns: columns.map(({ name, kind, values: given }) => {
      const summary = addToColumnSummary(emptyColumnSummary, given);
      const { moments, missing, infinite, min, max } = summary;
      const { count, squaredDeviations } = moments;
      const distinct = [...(summary.values ?? [])].sort(([, a], [, b]) => b - a);
      return {
        ...{ name, kind, count, missing, infinite, min, max, mean: moments.mean, squaredDeviations },
        quantiles: columnQuantiles(summary, quantileLevels),
        values: distinct.map(([value, times]) => ({ value, count: times })),
      };
    }),
  };
}

const read = (asked: Partial<StatisticsSearch> = {}) =>
  provenance.queries.featureStatistics({ deployment: 'diamonds', since: begin, ...asked });

describe('feature statistics over time', () => {
  it('put windows together as if all values were there at once', async () => {
    const { features, versions } = await read();
    expect(versions).toEqual([2, 1]);
    const all = minutes.flatMap((values, n) => values.filter((_, i) => n !== 0 || i % 10 !== 0));
    const { total, name, kind, type } = features[0]!;
    expect([name, kind, type, total.count, total.missing]).toEqual(['carat', 'input', 'REAL', 3_960, 40]);
    expect(total.mean).toBeCloseTo(mean(all), 9);
    expect(total.sd).toBeCloseTo(Math.sqrt(deviations(all) / (all.length - 1)), 9);
    expect([total.min, total.max]).toEqual([Math.min(...all), Math.max(...all)]);
    const sorted = all.toSorted((a, b) => a - b);
    for (const [at, q] of [
      ['p5', 0.05],
      ['p25', 0.25],
      ['p75', 0.75],
      ['p95', 0.95],
    ] as const)
      expect(Math.abs((total.quantiles?.[at] ?? Number.NaN) - sorted[Math.floor(q * 3_959)]!)).toBeLessThan(0.6);
  });

  it('are apart by time, with the rate of requests and the rows that came too late', async () => {
    const { features, traffic, fromMs, toMs } = await read({ points: 5 });
    expect([fromMs, toMs]).toEqual([begin, begin + 10 * minute]);
    expect(traffic.map(({ predictions, lateRows }) => [predictions, lateRows])).toEqual([
      [400, 0],
      [400, 7],
      [400, 0],
      [400, 0],
      [400, 0],
    ]);
    expect(traffic[0]?.predictionsPerSecond).toBeCloseTo(400 / 120, 9);
    const means = features[0]!.over.map((piece) => Math.abs(Math.round((piece.mean ?? 0) / 10)));
    expect(means).toEqual([0, 0, 1, 2, 2]);
    expect(features[0]!.histogram.shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
  });

  it('count categories by their labels, and tell probabilities from numbers', async () => {
    const { features } = await read({ feature: 'cut' });
    expect(features).toHaveLength(1);
    expect(features[0]).toMatchObject({
      type: 'CATEGORICAL',
      categories: ['Fair', 'Ideal'],
      total: {
        values: [
          { value: 0, label: 'Fair', count: 3_000 },
          { value: 1, label: 'Ideal', count: 1_000 },
        ],
      },
    });
    expect((await read({ feature: 'output.probability' })).features).toMatchObject([{ type: 'PROBA', kind: 'output' }]);
  });

  it('are of one version, or of a stretch of time, when that is asked', async () => {
    expect((await read({ version: 2 })).features[0]?.total).toMatchObject({ count: 2_000, missing: 0 });
    const early = await read({ since: begin + minute, until: begin + 3 * minute });
    expect([early.fromMs, early.toMs]).toEqual([begin + minute, begin + 3 * minute]);
    expect(await read({ deployment: 'nobody' })).toMatchObject({ features: [], traffic: [], fromMs: null });
    await expect(read({ feature: 'colour' })).rejects.toThrow(/no feature 'colour'; there are carat, cut, probability/);
  });

  it('of many windows are put together while others have their turn, and are no categories when there are too many', async () => {
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    const { features, toMs, traffic } = await read({ deployment: 'sparse', feature: 'x[0]', points: 7 });
    isOver = true;
    expect(turns).toBeGreaterThan(400);
    expect([toMs, traffic.length, traffic.at(-1)?.toMs]).toEqual([begin + 450 * minute, 7, begin + 450 * minute]);
    const [{ total, over } = { total: undefined, over: [] }] = features;
    expect(total).toMatchObject({ count: 4_499, missing: 1, min: 1, max: 4_499, values: [] });
    expect(total?.mean).toBeCloseTo((4_499 * 4_500) / 2 / 4_499, 6);
    expect(Math.abs((total?.quantiles?.p25 ?? 0) - 1_125)).toBeLessThan(50);
    expect(over.reduce((sum, { count }) => sum + count, 0)).toBe(4_499);
  });
});
