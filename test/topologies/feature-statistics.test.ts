import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { FeaturesSummarized, ObservationsSampled } from '../../schemas/events.ts';
import { quantileLevels } from '../../schemas/quantile-levels.ts';
import { featureStatistics } from '../../topologies/feature-statistics.ts';

const minute = 60_000;
let driver: TopologyDriver<'observations'>;
let begin: number;
beforeEach(async () => {
  driver = await createTopologyDriver(featureStatistics);
  begin = Math.ceil(driver.nowMs / minute) * minute;
  driver.advance(begin - driver.nowMs);
});

/** A row is its moment within the minute that begins now, and its cells. */
function batch(
  names: readonly string[],
  rows: readonly (readonly [number, readonly number[]])[],
  overrule: Partial<ObservationsSampled> = {},
): void {
  const data: ObservationsSampled = {
    deployment: 'diamonds',
    deploymentVersion: 1,
    partition: 0,
    offsets: rows.map((_, row) => row),
    windowRows: 0,
    windowMinRows: 0,
    windowMaxAgeMs: 0,
    predictionIds: rows.map((_, row) => `p${row}`),
    routes: rows.map(() => 'a'),
    columns: names.map((name, column) => ({ name, values: rows.map(([, cells]) => cells[column] ?? Number.NaN) })),
    outputs: [{ name: 'y', values: rows.map(() => 1) }],
    stream: 'predictions',
    times: rows.map(([at]) => begin + at),
    rowsOfPrediction: [],
    windows: [],
    online: [],
    statisticsEveryMs: minute,
    statisticsLatenessMs: 10_000,
    ...overrule,
  };
  driver.pipe({ type: 'observations-sampled', data, key: 'diamonds' });
}

const summaries = (): FeaturesSummarized[] => driver.takeOutputs().map(({ data }) => data as FeaturesSummarized);
const column = ({ columns }: FeaturesSummarized, name: string) => columns.find((one) => one.name === name);

describe('statistics of features', () => {
  it('are said ten seconds after a window of time, of every input and output', () => {
    batch(
      ['x', 'cut'],
      [
        [0, [1, 0]],
        [10, [2, 1]],
      ],
    );
    driver.advance(59_000);
    batch(
      ['x', 'cut'],
      [
        [59_999, [6, 1]],
        [60_000, [100, 0]],
      ],
      { rowsOfPrediction: [0, 1] },
    );
    driver.advance(10_999);
    expect(summaries()).toEqual([]);
    driver.advance(1);
    const [first] = summaries();
    expect(first).toMatchObject({ startMs: begin, endMs: begin + minute, rows: 3, predictions: 3, lateRows: 0 });
    expect(column(first!, 'x')).toMatchObject({
      kind: 'input',
      count: 3,
      missing: 0,
      infinite: 0,
      min: 1,
      max: 6,
      mean: 3,
      squaredDeviations: 14,
    });
    expect(column(first!, 'cut')?.values).toEqual([
      { value: 1, count: 2 },
      { value: 0, count: 1 },
    ]);
    expect(column(first!, 'y')).toMatchObject({ kind: 'output', count: 3 });
    driver.advance(minute);
    // The second row of its prediction.
    expect(summaries()).toMatchObject([{ rows: 1, predictions: 0 }]);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
  });

  it('wait as long for late rows as the deployment says', () => {
    batch(['x'], [[0, [1]]], { statisticsLatenessMs: 90_000 });
    driver.advance(minute + 80_000);
    batch(['x'], [[59_000, [2]]], { statisticsLatenessMs: 90_000 });
    expect(summaries()).toEqual([]);
    driver.advance(10_000);
    expect(summaries()[0]).toMatchObject({ startMs: begin, rows: 2, lateRows: 0 });
  });

  it('tell missing values and infinities from numbers; a column without any has no quantiles', () => {
    const { NaN: none, POSITIVE_INFINITY: top } = Number;
    batch(
      ['x', 'empty', 'constant'],
      [
        [0, [none, none, 5]],
        [1, [top, none, 5]],
        [2, [-top, none, 5]],
        [3, [4, none, 5]],
      ],
    );
    driver.advance(2 * minute);
    const [said] = summaries();
    expect(column(said!, 'x')).toMatchObject({ count: 1, missing: 1, infinite: 2, min: 4, max: 4 });
    expect(column(said!, 'empty')).toMatchObject({ count: 0, missing: 4, min: none, mean: none, quantiles: [] });
    expect(column(said!, 'constant')).toMatchObject({ mean: 5, squaredDeviations: 0 });
  });

  it('have quantiles within one percent of the ranks of many distinct numbers, and then no list of values', () => {
    const rows = Array.from({ length: 1_000 }, (_, n): [number, number[]] => [n, [n + 1, n % 64]]);
    for (let from = 0; from < 1_000; from += 100) batch(['x', 'few'], rows.slice(from, from + 100));
    driver.advance(2 * minute);
    const [said] = summaries();
    const { quantiles = [], values } = column(said!, 'x') ?? {};
    expect(values).toEqual([]);
    for (const [place, q] of quantileLevels.entries()) {
      expect(Math.abs((quantiles[place] ?? 0) - (1 + q * 999))).toBeLessThanOrEqual(10);
    }
    expect(column(said!, 'few')?.values).toHaveLength(64);
  });

  it('take columns that are new, and go on without those that are gone', () => {
    batch(['x', 'old'], [[0, [1, 7]]]);
    batch(['x', 'new'], [[1, [2, 8]]]);
    driver.advance(2 * minute);
    const [said] = summaries();
    expect(said?.columns.map(({ name, count }) => [name, count])).toEqual([
      ['x', 2],
      ['old', 1],
      ['y', 2],
      ['new', 1],
    ]);
  });

  it('leave rows out that come too late or from the future, and the next window says how many', () => {
    batch(
      ['x'],
      [
        [0, [1]],
        [-3_600_000, [1]],
        [3_600_000, [1]],
      ],
    );
    driver.advance(2 * minute);
    expect(summaries()).toMatchObject([{ rows: 1, lateRows: 2 }]);
    expect(driver.counters()).toMatchObject({ rowsLate: 2, rowsSummarized: 1, windows: 1 });
  });

  it('are the same after a restart in the middle of a window', async () => {
    const rows = Array.from({ length: 300 }, (_, n): [number, number[]] => [n * 150, [Math.sin(n) * 100, n % 5]]);
    const run = async (restarts: boolean): Promise<FeaturesSummarized[]> => {
      driver = await createTopologyDriver(featureStatistics, { startMs: begin });
      for (let from = 0; from < 300; from += 50) {
        batch(['x', 'cut'], rows.slice(from, from + 50));
        driver.advance(7_000);
        if (restarts)
          driver = await createTopologyDriver(featureStatistics, {
            snapshot: driver.snapshot(),
            startMs: driver.nowMs,
          });
      }
      driver.advance(2 * minute);
      return summaries();
    };
    const straight = await run(false);
    expect(straight).toHaveLength(1);
    expect(await run(true)).toEqual(straight);
  });

  it('are not made of feedback, nor where a deployment wants none', () => {
    batch(['x'], [[0, [1]]], { stream: 'feedback' });
    batch(['x'], [[0, [1]]], { statisticsEveryMs: 0 });
    driver.advance(2 * minute);
    expect([summaries(), driver.stateKeys()]).toEqual([[], []]);
  });
});
