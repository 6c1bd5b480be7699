import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import { detectorMethods, type DetectorMethodName, methodOf } from '../../schemas/detector-methods.ts';
import { type DetectorSettings, detectorsOf } from '../../schemas/detectors.ts';
import type { DriftAssessed, ObservationsSampled } from '../../schemas/events.ts';
import { fitOnline } from '../../services/scorer/fit-online.ts';
import { parseReference, referenceBytes } from '../../services/scorer/reference-sample.ts';
import { seededRandom } from '../../statistics/random.ts';
import { onlineDrift } from '../../topologies/online-drift.ts';
import { emptyStates, seedOf } from '../../topologies/online-drift/methods.ts';
import { columnsOf, type Fit, noPeak, type Running, takeRow } from '../../topologies/online-drift/run.ts';

const random = seededRandom('online');
let driver: TopologyDriver<'observations'>;
beforeEach(async () => {
  driver = await createTopologyDriver(onlineDrift);
});

const table = (rows: number, shift = 0, binary = false) =>
  ['a', 'b'].map((name) => ({
    name,
    values: Array.from({ length: rows }, () => {
      if (binary) return random.uniform() < 0.1 + (name === 'a' ? shift * 0.2 : 0) ? 1 : 0;
      return random.normal() + (name === 'a' ? shift : 0);
    }),
  }));

let next = 0;
function batch(rows: number, shift = 0, overrule: Partial<ObservationsSampled> & { binary?: boolean } = {}): void {
  const { binary = false, ...given } = overrule;
  const numbers = Array.from({ length: rows }, () => next++);
  const data: ObservationsSampled = {
    deployment: 'iris',
    deploymentVersion: 1,
    partition: 0,
    offsets: numbers,
    windowRows: 0,
    windowMinRows: 0,
    windowMaxAgeMs: 0,
    predictionIds: numbers.map((n) => `p${n}`),
    routes: numbers.map(() => 'a'),
    columns: table(rows, shift, binary),
    outputs: [],
    stream: 'predictions',
    times: [],
    rowsOfPrediction: [],
    windows: [],
    statisticsEveryMs: 0,
    statisticsLatenessMs: 0,
    online: ['watch'],
    ...given,
  };
  driver.pipe({ type: 'observations-sampled', data, key: 'iris' });
}

function fitOf(method: DetectorMethodName, settings: Partial<DetectorSettings> = {}): Fit {
  const [detector] = detectorsOf({
    monitors: {
      window: { rows: 100, minRows: 20, maxAgeMs: 1_000 },
      detectors: [{ name: 'watch', method, reference: { kind: 'first', rows: 200 }, reportEvery: 200, ...settings }],
    },
  });
  const sample = table(200, 0, method === 'online-fisher');
  const reference = parseReference(referenceBytes(sample, []));
  return fitOnline(detector!, { columns: sample, outputs: [], features: [] }, reference, seedOf('iris', 1, 'watch'));
}

function fitted(fit: Fit | undefined, reason = ''): void {
  const text = fit === undefined ? '' : JSON.stringify(fit);
  const about = { deployment: 'iris', deploymentVersion: 1, detector: 'watch', stream: 'predictions' };
  const data = { ...about, fit: text, fitHash: 'f'.repeat(64), referenceHash: '', reason };
  driver.pipe({ type: 'detector-fitted', data, key: 'iris' });
}

/** Of each row of a finding, in order. */
function offsetsOf(finding: DriftAssessed | undefined): number[] {
  return (finding?.sources ?? []).flatMap(({ firstOffset, offsets }) => {
    let offset = firstOffset;
    return offsets.map((step) => (offset += step));
  });
}

const findings = (): DriftAssessed[] => driver.takeOutputs().map(({ data }) => data as DriftAssessed);
const short = { options: { expectedRunTime: 100 } };
const optionsOf = (method: DetectorMethodName): Partial<DetectorSettings> =>
  'expectedRunTime' in detectorMethods[method].options
    ? short
    : method === 'page-hinkley'
      ? { options: { threshold: 20, delta: 0.2 } }
      : {};
const methods = (Object.keys(detectorMethods) as DetectorMethodName[]).filter((name) => methodOf(name).runs === 'row');

it('keeps nothing of a version a week after the first rows of a newer one', () => {
  fitted(fitOf('kswin'));
  batch(10);
  batch(10, 0, { deploymentVersion: 2 });
  driver.advance(6 * 86_400_000);
  expect(driver.stateKeys('d/iris/1/')).toHaveLength(1);
  driver.advance(86_400_000);
  expect([...driver.stateKeys('d/'), ...driver.stateKeys('fit/')]).toEqual(['d/iris/2/predictions/watch']);
});

describe('adwin', () => {
  const adwin = (): Fit => fitOf('adwin', { reportEvery: 96, columns: ['a'] });
  const play = (values: readonly number[]): DriftAssessed[] => {
    batch(values.length, 0, { columns: [{ name: 'a', values }] });
    return findings();
  };
  const normals = (count: number, shift = 0) => Array.from({ length: count }, () => random.normal() + shift);

  it.each([1e38, -1e300, 1e12])('is not blinded by a single value of %d', (accident) => {
    fitted(adwin());
    // among the first values nothing says what is far, but what no column measures
    play([...(Math.abs(accident) > 1e30 ? [accident] : []), ...normals(200), accident, ...normals(100)]);
    expect(play(normals(200, 3)).some(({ drifted }) => drifted)).toBe(true);
  });

  it('says the largest change since the last finding, not that of the last row', () => {
    const fit = adwin();
    const step = { alarm: false, statistic: 0, threshold: Number.NaN, pValue: Number.NaN, effectSize: 0 };
    let running: Running = { states: [undefined], peaks: [{ ...step, statistic: 0.7, effectSize: 0.7 }] };
    const { states } = takeRow(fit, { states: emptyStates('adwin', ['a'], ''), peaks: [noPeak] }, [0]);
    running = takeRow(fit, { ...running, states }, [0]);
    expect(running.peaks[0]).toMatchObject({ statistic: 0.7, effectSize: 0.7 });
  });
});

describe.each(methods)('%s', (method) => {
  it('raises an alarm after the rows moved, for the column that did, and its finding gives the same numbers again', () => {
    const fit = fitOf(method, optionsOf(method));
    const binary = method === 'online-fisher';
    fitted(fit);
    const rows: ObservationsSampled['columns'][] = [];
    for (let n = 0; n < 8; n++) {
      const columns = table(50, n < 3 ? 0 : 2.5, binary);
      rows.push(columns);
      batch(50, 0, { columns });
    }
    const found = findings();
    // There may be a false alarm of the other column before.
    const alarm = found.find(({ features }) => features[0]?.drifted === true);
    expect(alarm).toMatchObject({ detector: 'watch', method, drifted: true, closedBy: 'alarm', stream: 'predictions' });
    const names = methodOf(method).over === 'rows' ? ['*'] : ['a', 'b'];
    expect(alarm?.features.map(({ name }) => name)).toEqual(names);
    expect(alarm?.features[0]?.drifted).toBe(true);
    // As a replay does it: the state before, and the rows of the positions.
    const states = JSON.parse(alarm?.startState ?? '') as readonly unknown[];
    let running: Running = { states, peaks: states.map(() => noPeak) };
    const all = rows.flatMap((columns) => {
      const cells = columnsOf(fit, { columns, outputs: [] }) ?? [];
      return Array.from({ length: 50 }, (_, row) => cells.map((values) => values[row] ?? 0));
    });
    const first = next - all.length;
    for (const offset of offsetsOf(alarm)) running = takeRow(fit, running, all[offset - first] ?? []);
    expect(running.peaks).toEqual(
      alarm?.features.map(({ drifted, statistic, threshold, pValue, effectSize }) => ({
        alarm: drifted,
        statistic,
        threshold,
        pValue,
        effectSize,
      })),
    );
  });

  it('goes on after a restart in the middle as if there had been none', async () => {
    const fit = fitOf(method, optionsOf(method));
    const binary = method === 'online-fisher';
    const batches = Array.from({ length: 6 }, (_, n) => table(40, n < 3 ? 0 : 2, binary));
    const run = async (restarts: boolean): Promise<string> => {
      driver = await createTopologyDriver(onlineDrift);
      next = 0;
      fitted(fit);
      const found: DriftAssessed[] = [];
      for (const columns of batches) {
        batch(40, 0, { columns });
        found.push(...findings());
        if (restarts) driver = await createTopologyDriver(onlineDrift, { snapshot: driver.snapshot() });
      }
      return JSON.stringify(
        found.map(({ openedAt: _, closedAt: __, windowId: ___, findingId: ____, ...rest }) => rest),
      );
    };
    expect(await run(true)).toBe(await run(false));
  });
});

describe('a detector of rows', () => {
  it('takes the rows that came before it was fitted, and reports clean stretches', () => {
    batch(150);
    expect(findings()).toEqual([]);
    fitted(fitOf('cusum', { options: { limit: 50 } }));
    expect(findings()).toEqual([]);
    batch(100);
    const [report] = findings();
    expect(report).toMatchObject({
      drifted: false,
      closedBy: 'rows',
      rows: 200,
      rowsSeen: 200,
      referenceKind: 'first',
    });
    const offsets = offsetsOf(report);
    expect(offsets).toEqual(Array.from({ length: 200 }, (_, n) => n + (offsets[0] ?? 0)));
  });

  it('that cannot be fitted is off, and its rows are counted', () => {
    batch(10);
    fitted(undefined, 'the reference is constant');
    batch(10);
    expect(findings()).toEqual([]);
    expect(driver.counters()).toMatchObject({ detectorsOff: 1, rowsUnwatched: 10 });
    expect(() => fitOf('cusum', { columns: ['zz'] })).toThrow(/no column 'zz'/);
  });

  it('skips missing values and rows of another layout, and says how many rows it saw', () => {
    fitted(fitOf('ewma', { reportEvery: 50 }));
    batch(10, 0, { columns: [{ name: 'other', values: Array.from({ length: 10 }, () => 1) }] });
    const holes = table(50).map(({ name, values }) => ({
      name,
      values: values.map((value, row) => (row % 2 === 0 ? [Number.NaN, Infinity][row % 4 === 0 ? 0 : 1]! : value / 10)),
    }));
    batch(50, 0, { columns: holes });
    expect(findings()).toMatchObject([{ rows: 50, rowsSeen: 60, drifted: false }]);
    expect(driver.takeDeadLetters()).toEqual([]);
  });

  it('says an alarm once, and goes on with a report at a time while it lasts', () => {
    fitted(fitOf('ewma', { reportEvery: 100 }));
    for (let n = 0; n < 10; n++) batch(50, 5);
    const found = findings();
    expect(found[0]).toMatchObject({ drifted: true });
    expect(found[0]?.rows).toBeLessThan(20);
    expect(found.slice(1).map(({ rows }) => rows)).toEqual([100, 100, 100, 100]);
  });

  it('holds bounded state over many rows', () => {
    fitted(fitOf('kswin', { reportEvery: 1_000 }));
    for (let n = 0; n < 40; n++) batch(100);
    const bytes = driver.snapshot().values.reduce((sum, [, value]) => sum + value.byteLength, 0);
    for (let n = 0; n < 40; n++) batch(100);
    expect(driver.snapshot().values.reduce((sum, [, value]) => sum + value.byteLength, 0)).toBeLessThan(bytes * 1.5);
  });
});
