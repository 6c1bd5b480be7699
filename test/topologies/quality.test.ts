import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { QualityAssessed, RewardRecorded } from '../../schemas/events.ts';
import { quality } from '../../topologies/quality.ts';

let driver: TopologyDriver<'rewards'>;
beforeEach(async () => {
  driver = await createTopologyDriver(quality);
});

let serial = 0;
function reward(overrule: Partial<RewardRecorded>): void {
  serial += 1;
  const data: RewardRecorded = {
    ...{ deployment: 'iris', deploymentVersion: 1, predictionId: `p${serial}`, feedbackId: `f${serial}` },
    ...{ route: 'main', model: 'iris', modelVersion: 3, prediction: null, truth: null, error: null, reward: null },
    ...{ rule: 'equal', assessEvery: 0, alpha: 0.05, windows: [], online: [], answer: null, label: null },
    ...{ probabilities: [], segments: [], qualityRows: 4, qualityMaxAgeMs: 10_000, bounds: [], planned: [] },
    row: null,
    before: { rewards: 0, errors: 0, squaredErrors: 0 },
    ...overrule,
  };
  driver.pipe({ type: 'reward-recorded', data, key: data.deployment });
}
const said = (): QualityAssessed[] => driver.takeOutputs().map(({ data }) => data as QualityAssessed);
const valuesOf = ({ metrics }: QualityAssessed): Record<string, number> =>
  Object.fromEntries(metrics.map(({ name, value }) => [name, value]));

describe('quality', () => {
  it('of numbers is RMSE, MAE, bias and R² of each window, for all routes together and each of them', () => {
    const rows = [
      [1, 2],
      [3, 3],
      [5, 4],
      [8, 7],
    ] as const;
    for (const [index, [prediction, truth]] of rows.entries())
      reward({ prediction, truth, error: prediction - truth, route: index % 2 === 0 ? 'a' : 'b' });
    const [all, ...others] = said();
    expect(others).toEqual([]);
    expect(all).toMatchObject({ route: '', rows: 4, window: 1, task: 'regression', reward: null });
    const values = valuesOf(all as QualityAssessed);
    // from the definitions, computed apart
    expect(values['rmse']).toBeCloseTo(0.8660254037844386, 12);
    expect(values['mae']).toBe(0.75);
    expect(values['mean_error']).toBe(0.25);
    expect(values['r2']).toBeCloseTo(0.7857142857142857, 12);
    for (const [prediction, truth] of rows) reward({ prediction, truth, error: prediction - truth, route: 'a' });
    expect(said().map(({ route, model, modelVersion, window }) => [route, model, modelVersion, window])).toEqual([
      ['a', 'iris', 3, 1],
      ['', '', 0, 2],
    ]);
  });

  it('of a window is what scikit-learn computes over its rows', () => {
    const golden = (name: string): Record<string, Record<string, readonly number[]>> =>
      JSON.parse(readFileSync(new URL(`../golden/quality/${name}.json`, import.meta.url), 'utf8')) as never;
    const numbers = golden('regression');
    const { truth = [], prediction = [] } = numbers['inputs'] ?? {};
    for (const [row, value] of truth.entries())
      reward({ prediction: prediction[row] ?? null, truth: value, qualityRows: truth.length });
    const [ofNumbers] = said();
    for (const [name, value] of Object.entries(valuesOf(ofNumbers as QualityAssessed)))
      expect(value, name).toBeCloseTo(Number(numbers['expected']?.[name]), 9);
    const classes = golden('binary');
    const { label = [], score = [] } = classes['inputs'] ?? {};
    for (const [row, p] of score.entries()) {
      const answer = p >= 0.5 ? '1' : '0';
      reward({ answer, label: String(label[row]), probabilities: [1 - p, p], route: 'b', qualityRows: label.length });
    }
    const ofClasses = said().at(-1);
    const values = valuesOf(ofClasses as QualityAssessed);
    expect(Object.keys(values)).toHaveLength(6);
    for (const [name, value] of Object.entries(values))
      expect(value, name).toBeCloseTo(Number(classes['expected']?.[name]), 9);
  });

  it('of classes is accuracy and F1, with probabilities also log loss, Brier, AUC and calibration', () => {
    const rows = [
      ['1', '1', 0.9],
      ['0', '0', 0.2],
      ['1', '0', 0.6],
      ['0', '1', 0.4],
    ] as const;
    for (const [answer, label, p] of rows) reward({ answer, label, probabilities: [1 - p, p], reward: 1 });
    const [all] = said();
    const values = valuesOf(all as QualityAssessed);
    // from the definitions, computed apart
    expect(values['accuracy']).toBe(0.5);
    expect(values['f1']).toBe(0.5);
    expect(values['log_loss']).toBeCloseTo(0.5402713826800865, 10);
    expect(values['brier']).toBeCloseTo(0.1925, 12);
    expect(values['auc']).toBe(0.75);
    expect(all?.calibration.reduce((sum, { count }) => sum + count, 0)).toBe(4);
  });

  it('is shown apart by segment, model version and deployment version', () => {
    for (let i = 0; i < 4; i++)
      reward({ prediction: 1, truth: 1, error: 0, segments: [`cut=${i < 2 ? 'Fair' : 'Ideal'}`] });
    expect(said().map(({ route, segment }) => [route, segment])).toEqual([
      ['', ''],
      ['main', ''],
    ]);
    for (let i = 0; i < 2; i++) reward({ prediction: 1, truth: 1, error: 0, segments: ['cut=Fair'], modelVersion: 4 });
    expect(said().map(({ route, segment }) => [route, segment])).toEqual([['', 'cut=Fair']]);
    for (let i = 0; i < 4; i++) reward({ prediction: 1, truth: 2, error: -1, deploymentVersion: 2 });
    expect(said().map(({ deploymentVersion, window }) => [deploymentVersion, window])).toEqual([
      [2, 1],
      [2, 1],
    ]);
  });

  it('of a quiet deployment is said when its window is old, and what tells nothing of it is in none', () => {
    reward({ prediction: 1, truth: 1, error: 0 });
    reward({ reward: 1, rule: 'equal' });
    reward({ prediction: 1, truth: 1, error: 0, qualityRows: 0 });
    driver.advance(10_001);
    expect(said().map(({ route, rows }) => [route, rows])).toEqual([
      ['', 1],
      ['main', 1],
    ]);
    expect(driver.counters()).toMatchObject({ qualityRows: 1, qualityWindows: 2 });
  });

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'of a label called %s is like any other',
    (label) => {
      for (let i = 0; i < 8; i++)
        reward({ answer: '1', label: i === 0 ? label : '1', probabilities: [0.2, 0.8], reward: 1 });
      expect(driver.takeDeadLetters()).toEqual([]);
      const own = said().filter(({ route }) => route === '');
      expect(own.map(({ window }) => window)).toEqual([1, 2]);
      expect(own.map((one) => valuesOf(one)['accuracy'])).toEqual([0.75, 1]);
    },
  );

  it('of a window that cannot be judged is said without values, and the next one is judged', () => {
    const numbers = (prediction: number): void => {
      for (let i = 0; i < 4; i++) reward({ prediction, truth: 1, error: prediction - 1, reward: null });
    };
    numbers(1e200);
    numbers(1.5);
    const ofNumbers = said().filter(({ route }) => route === '');
    expect(ofNumbers.map((one) => valuesOf(one)['rmse'])).toEqual([Number.NaN, 0.5]);
    // a probability that is none, and a reward that is no number
    for (const p of [2, 0.8])
      for (let i = 0; i < 4; i++)
        reward({ answer: '1', label: '1', probabilities: [0.2, p], rule: 'function', reward: i === 0 ? -Infinity : i });
    const ofClasses = said().filter(({ route }) => route === '');
    expect(ofClasses.map((one) => valuesOf(one)['accuracy'])).toEqual([Number.NaN, 1]);
    expect(ofClasses.map((one) => one.reward?.mean)).toEqual([2, 2]);
    expect(driver.takeDeadLetters()).toEqual([]);
  });

  it('keeps nothing of a series that had no row for a week', () => {
    for (let i = 0; i < 4; i++) reward({ prediction: 1, truth: 1, error: 0, segments: [`cut=${i}`] });
    expect(driver.stateKeys().length).toBe(10);
    driver.advance(10_001);
    expect(driver.stateKeys().length).toBe(10);
    driver.advance(7 * 86_400_000);
    expect(driver.stateKeys().length).toBe(0);
  });

  it('of rewards without a truth is their mean and median', () => {
    for (const value of [1, 0, 1, 1]) reward({ reward: value, rule: 'feedback' });
    const [all] = said();
    expect(all).toMatchObject({ task: 'reward', rows: 4, metrics: [], reward: { count: 4, mean: 0.75, median: 1 } });
  });

  it('carries the bounds that look at its series, and an id by which alerts name the window', () => {
    const bound = {
      ...{ name: 'right', metric: 'accuracy', least: 0.8, most: null, segment: '', surely: false },
      ...{ minRows: 1, raiseAfter: 1, clearAfter: 1 },
    };
    const bounds = [
      { ...bound, route: '' },
      { ...bound, name: 'canary', route: 'b' },
    ];
    for (let row = 0; row < 4; row++) reward({ answer: 'x', label: 'x', reward: 1, route: 'b', bounds });
    const windows = said();
    expect(windows.map(({ route, bounds: own }) => [route, own.map(({ name }) => name)])).toEqual([
      ['', ['right']],
      ['b', ['canary']],
    ]);
    expect(new Set(windows.map(({ windowId }) => windowId)).size).toBe(2);
  });
});
