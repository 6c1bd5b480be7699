/** How long online detectors run without a change before they raise a false alarm. */
import { describe, expect, test } from 'vitest';
import { EMPTY_ADWIN, stepAdwin } from '../../../statistics/online/adwin.ts';
import { type CusumState, EMPTY_CUSUM, stepCusum } from '../../../statistics/online/cusum.ts';
import { EMPTY_EWMA, type EwmaState, stepEwma } from '../../../statistics/online/ewma.ts';
import {
  EMPTY_ONLINE_CVM,
  fitOnlineCvm,
  type OnlineCvmState,
  stepOnlineCvm,
} from '../../../statistics/online/online-cvm.ts';
import {
  EMPTY_ONLINE_FISHER,
  fitOnlineFisher,
  type OnlineFisherState,
  stepOnlineFisher,
} from '../../../statistics/online/online-fisher.ts';
import { EMPTY_ONLINE_MMD, fitOnlineMmd, stepOnlineMmd } from '../../../statistics/online/online-mmd.ts';
import type { OnlineStep } from '../../../statistics/online/online-step.ts';
import { type Random, seededRandom } from '../../../statistics/random.ts';

const SEED = 811;

/** Mean number of values up to the first alarm, over fresh streams; a stream of ten times `expected` ends unfinished. */
function meanRunTime<State, Verdict extends { readonly alarm: boolean }>(
  name: string,
  streams: number,
  expected: number,
  start: (random: Random) => {
    empty: State;
    draw: () => number;
    step: (state: State, value: number) => OnlineStep<State, Verdict>;
  },
): number {
  const random = seededRandom(SEED);
  let total = 0;
  let alarms = 0;
  for (let i = 0; i < streams; i++) {
    const { empty, draw, step } = start(random);
    let state = empty;
    for (let time = 1; time <= 10 * expected; time++) {
      total += 1;
      const next = step(state, draw());
      state = next.state;
      if (next.verdict.alarm) {
        alarms += 1;
        break;
      }
    }
  }
  console.info(`${name}: mean run time ${Math.round(total / alarms)} (expected ${expected}, seed ${SEED})`);
  return total / alarms;
}

describe('run times without a change', () => {
  test('CUSUM: the published 465 for k = 0.5, h = 5', () => {
    const runTime = meanRunTime('CUSUM', 1000, 465, (random) => ({
      empty: EMPTY_CUSUM,
      draw: () => random.normal(),
      step: (state: CusumState, value) => stepCusum(state, value, { target: 0, sigma: 1, k: 0.5, h: 5 }),
    }));
    expect(runTime).toBeGreaterThan(465 * 0.87);
    expect(runTime).toBeLessThan(465 * 1.13);
  });

  test('EWMA: the published 500 for weight 0.1, width 2.814', () => {
    const runTime = meanRunTime('EWMA', 1000, 500, (random) => ({
      empty: EMPTY_EWMA,
      draw: () => random.normal(),
      step: (state: EwmaState, value) => stepEwma(state, value, { target: 0, sigma: 1, lambda: 0.1, width: 2.814 }),
    }));
    expect(runTime).toBeGreaterThan(500 * 0.85);
    expect(runTime).toBeLessThan(500 * 1.13);
  });

  test('online Fisher: as stated, for fresh references and streams', () => {
    const model = fitOnlineFisher({ count: 2000, ones: 200 }, seededRandom(SEED), { expectedRunTime: 500 });
    const runTime = meanRunTime('online Fisher', 500, 500, (random) => {
      let ones = 0;
      for (let i = 0; i < 2000; i++) if (random.uniform() < 0.1) ones += 1;
      const drawn = { ...model, reference: { count: 2000, ones } };
      return {
        empty: EMPTY_ONLINE_FISHER,
        draw: () => (random.uniform() < 0.1 ? 1 : 0),
        step: (state: OnlineFisherState, value) => stepOnlineFisher(state, value, drawn),
      };
    });
    expect(runTime).toBeGreaterThan(500 * 0.75);
    expect(runTime).toBeLessThan(500 * 1.3);
  });

  test('online Cramér–von Mises: as stated, whatever the distribution', () => {
    const sample = (random: Random) => Float64Array.from({ length: 500 }, () => Math.exp(random.normal()));
    const model = fitOnlineCvm(sample(seededRandom(1)), seededRandom(SEED), { expectedRunTime: 500 });
    const runTime = meanRunTime('online Cramér–von Mises', 300, 500, (random) => {
      const drawn = { ...model, reference: Array.from(sample(random).sort()) };
      return {
        empty: EMPTY_ONLINE_CVM,
        draw: () => Math.exp(random.normal()),
        step: (state: OnlineCvmState, value) => stepOnlineCvm(state, value, drawn),
      };
    });
    expect(runTime).toBeGreaterThan(500 * 0.75);
    expect(runTime).toBeLessThan(500 * 1.3);
  });

  test('online maximum mean discrepancy: as stated, for fresh references and streams', () => {
    const random = seededRandom(SEED);
    const row = () => [random.normal(), random.normal()];
    const expected = 200;
    let total = 0;
    let alarms = 0;
    for (let r = 0; r < 40; r++) {
      const reference = Array.from({ length: 300 }, row);
      const model = fitOnlineMmd(reference, random, { expectedRunTime: expected, simulations: 60, windowSize: 15 });
      let state = EMPTY_ONLINE_MMD;
      for (let time = 0; time < 3 * expected; time++) {
        total += 1;
        const next = stepOnlineMmd(state, row(), model);
        state = next.state;
        if (next.verdict.alarm) alarms += 1;
      }
    }
    console.info(`online MMD: mean run time ${Math.round(total / alarms)} (expected ${expected}, seed ${SEED})`);
    expect(total / alarms).toBeGreaterThan(expected * 0.6);
    expect(total / alarms).toBeLessThan(expected * 1.6);
  });

  test('ADWIN: rarely in 1,000 values at its default confidence', () => {
    let falseAlarms = 0;
    const random = seededRandom(SEED);
    for (let stream = 0; stream < 200; stream++) {
      let state = EMPTY_ADWIN;
      for (let i = 0; i < 1000; i++) {
        const next = stepAdwin(state, random.normal());
        state = next.state;
        if (next.verdict.alarm) falseAlarms += 1;
      }
    }
    console.info(`ADWIN: ${falseAlarms} false alarms in 200 streams of 1,000 values (seed ${SEED})`);
    expect(falseAlarms).toBeLessThanOrEqual(10);
  });
});
