import { describe, expect, test } from 'vitest';
import { cvmTwoSample } from '../../../statistics/drift/cvm.ts';
import { fisherExact } from '../../../statistics/drift/fisher.ts';
import {
  EMPTY_ONLINE_CVM,
  fitOnlineCvm,
  type OnlineCvmModel,
  stepOnlineCvm,
} from '../../../statistics/online/online-cvm.ts';
import { EMPTY_ONLINE_FISHER, fitOnlineFisher, stepOnlineFisher } from '../../../statistics/online/online-fisher.ts';
import { mmdTest } from '../../../statistics/drift/mmd.ts';
import {
  EMPTY_ONLINE_MMD,
  fitOnlineMmd,
  type OnlineMmdState,
  type OnlineMmdVerdict,
  stepOnlineMmd,
} from '../../../statistics/online/online-mmd.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { calibrateThreshold } from '../../../statistics/online/run-time-calibration.ts';
import { indicesOf, runDetector } from '../detectors.ts';

const SEED = 41;

describe('online Fisher test', () => {
  const reference = { count: 500, ones: 40 };
  const model = fitOnlineFisher(reference, seededRandom(SEED), { expectedRunTime: 1000, simulations: 40 });
  const random = seededRandom(SEED + 1);
  const errors = (n: number, rate: number): number[] =>
    Array.from({ length: n }, () => (random.uniform() < rate ? 1 : 0));

  test('raises an alarm soon after the error rate has risen', () => {
    const { verdicts } = runDetector([...errors(80, 0.08), ...errors(150, 0.35)], EMPTY_ONLINE_FISHER, (state, value) =>
      stepOnlineFisher(state, value, model),
    );
    const alarms = indicesOf(verdicts, ({ alarm }) => alarm);
    expect(alarms[0]).toBeGreaterThanOrEqual(80);
    expect(alarms[0]).toBeLessThan(120);
  });

  test('agrees with a direct test of its window', () => {
    const stream = errors(60, 0.2);
    const plain = { ...model, windowSizes: [30], smoothing: 0, threshold: 1e9 };
    const { verdicts } = runDetector(stream, EMPTY_ONLINE_FISHER, (state, value) =>
      stepOnlineFisher(state, value, plain),
    );
    expect(verdicts[28]!.pValue).toBeNull();
    const ones = stream.slice(30).reduce((a, b) => a + b, 0);
    const direct = fisherExact([
      [ones, 30 - ones],
      [reference.ones, reference.count - reference.ones],
    ]);
    expect(verdicts[59]!.pValue).toBeCloseTo(direct.pValueGreater, 12);
    expect(verdicts[59]!.statistic).toBeCloseTo(-Math.log(direct.pValueGreater), 12);
  });

  test('keeps its memory to the longest window', () => {
    const { stateSizeMax } = runDetector(errors(3000, 0.08), EMPTY_ONLINE_FISHER, (state, value) =>
      stepOnlineFisher(state, value, model),
    );
    expect(stateSizeMax).toBeLessThan(2 * 100 + 60);
  });

  test.each([0, 200])('does not take fright at the first other value after a reference with %s ones of 200', (ones) => {
    const alternative = 'two-sided';
    const options = { expectedRunTime: 2_000, simulations: 40, alternative } as const;
    const flat = fitOnlineFisher({ count: 200, ones }, seededRandom(SEED), options);
    const usual = ones === 0 ? 0 : 1;
    const stream = [...Array.from({ length: 60 }, () => usual), 1 - usual, ...Array.from({ length: 20 }, () => usual)];
    const { verdicts } = runDetector(stream, EMPTY_ONLINE_FISHER, (state, value) =>
      stepOnlineFisher(state, value, flat),
    );
    expect(indicesOf(verdicts, ({ alarm }) => alarm)).toEqual([]);
    const moved = runDetector(
      Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? usual : 1 - usual)),
      EMPTY_ONLINE_FISHER,
      (state, value) => stepOnlineFisher(state, value, flat),
    );
    expect(indicesOf(moved.verdicts, ({ alarm }) => alarm).length).toBeGreaterThan(0);
  });

  test('refuses values that are not binary, and impossible references', () => {
    expect(() => stepOnlineFisher(EMPTY_ONLINE_FISHER, 0.5, model)).toThrow('value must be 0 or 1, got 0.5');
    expect(() => fitOnlineFisher({ count: 5, ones: 6 }, random, { expectedRunTime: 10 })).toThrow('must not exceed 5');
  });
});

describe('online Cramér–von Mises test', () => {
  const random = seededRandom(SEED + 2);
  const sample = (n: number, scale = 1) => Array.from({ length: n }, () => scale * random.normal());
  const reference = sample(300);
  const options = { expectedRunTime: 1000, simulations: 40 };
  const model = JSON.parse(JSON.stringify(fitOnlineCvm(reference, seededRandom(SEED), options))) as OnlineCvmModel;

  test.each([
    ['mean', (x: number) => x + 1.5],
    ['spread', (x: number) => 4 * x],
  ])('raises an alarm soon after the %s has changed', (_, change) => {
    const stream = [...sample(80), ...sample(100).map(change)];
    const { verdicts } = runDetector(stream, EMPTY_ONLINE_CVM, (state, value) => stepOnlineCvm(state, value, model));
    const alarms = indicesOf(verdicts, ({ alarm }) => alarm);
    expect(alarms.filter((at) => at < 80).length).toBeLessThanOrEqual(1);
    expect(alarms.some((at) => at >= 80 && at < 125)).toBe(true);
  });

  test('ranks windows as the two-sample test does', () => {
    const windows = Array.from({ length: 12 }, (_, i) => sample(40).map((x) => x + i / 10));
    const online = windows.map((window) => {
      const plain = { ...model, windowSizes: [40], threshold: 1e9 };
      const { verdicts } = runDetector(window, EMPTY_ONLINE_CVM, (state, value) => stepOnlineCvm(state, value, plain));
      return verdicts[39]!.statistic;
    });
    const direct = windows.map((window) => cvmTwoSample(reference, window).statistic);
    online.forEach((value, i) => expect(Math.abs(value - direct[i]!)).toBeLessThan(0.1 * direct[i]! + 0.02));
  });

  test('keeps its memory to the longest window, and refuses NaN', () => {
    const { stateSizeMax } = runDetector(sample(2000), EMPTY_ONLINE_CVM, (state, value) =>
      stepOnlineCvm(state, value, model),
    );
    expect(stateSizeMax).toBeLessThan(40 * 25 + 30);
    expect(() => stepOnlineCvm(EMPTY_ONLINE_CVM, Number.NaN, model)).toThrow('value must be a finite number, got NaN');
  });
});

describe('online maximum mean discrepancy', () => {
  const random = seededRandom(SEED + 3);
  const correlated = (n: number, sign: number) =>
    Array.from({ length: n }, () => {
      const shared = random.normal();
      return [shared + 0.5 * random.normal(), sign * shared + 0.5 * random.normal()];
    });
  const reference = correlated(120, 1);
  const options = { expectedRunTime: 500, simulations: 40 };
  const model = fitOnlineMmd(reference, seededRandom(SEED), options);

  function run(stream: readonly (readonly number[])[]): { verdicts: OnlineMmdVerdict[]; state: OnlineMmdState } {
    let state = EMPTY_ONLINE_MMD;
    const verdicts = stream.map((row) => {
      const next = stepOnlineMmd(state, row, model);
      state = JSON.parse(JSON.stringify(next.state)) as OnlineMmdState;
      return next.verdict;
    });
    return { verdicts, state };
  }

  test('raises an alarm when only the correlation has turned', () => {
    const { verdicts } = run([...correlated(60, 1), ...correlated(60, -1)]);
    const alarms = indicesOf(verdicts, ({ alarm }) => alarm);
    expect(alarms.filter((at) => at < 60).length).toBeLessThanOrEqual(1);
    expect(alarms.some((at) => at >= 60 && at < 100)).toBe(true);
  });

  test('is the statistic of the two-sample test', () => {
    const stream = correlated(20, 1);
    const { verdicts, state } = run(stream);
    const direct = mmdTest(reference, stream, seededRandom(1), { sigma: model.sigma, permutations: 1 });
    expect(verdicts[18]!.statistic).toBeNull();
    expect(verdicts[19]!.statistic).toBeCloseTo(direct.statistic, 12);
    expect(state.window.length).toBe(20);
  });

  test('refuses what it cannot be calibrated on', () => {
    const short = { expectedRunTime: 100 };
    expect(() => fitOnlineMmd(correlated(20, 1), random, short)).toThrow(
      'windowSize must be at most a quarter of the 20',
    );
    const equal = Array.from({ length: 100 }, () => [1, 1]);
    expect(() => fitOnlineMmd(equal, random, short)).toThrow('sigma (0 when all rows are equal) must be a positive');
    expect(() => stepOnlineMmd(EMPTY_ONLINE_MMD, [1], model)).toThrow('row must have 2 columns, got 1');
  });
});

test('a threshold is calibrated to the run time of independent values', () => {
  // For independent uniform values the run time of a threshold h is 1 / (1 − h).
  const random = seededRandom(SEED);
  const threshold = calibrateThreshold({ expectedRunTime: 100, simulations: 1000 }, () => () => random.uniform());
  expect(1 / (1 - threshold)).toBeGreaterThan(90);
  expect(1 / (1 - threshold)).toBeLessThan(110);
});
