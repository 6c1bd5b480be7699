/**
 * How the methods that go row by row are fitted and stepped; what they are is said in `schemas/detector-methods.ts`. Models and states
 * are plain data of bounded size. Fitting may be heavy and runs in the scorer's threads; stepping runs in the fold.
 */
import type { DetectorMethod, MethodsThat } from '../../schemas/detector-methods.ts';
import { type AdwinState, EMPTY_ADWIN, stepAdwin } from '../../statistics/online/adwin.ts';
import { EMPTY_CUSUM, type CusumState, stepCusum } from '../../statistics/online/cusum.ts';
import { EMPTY_EWMA, type EwmaState, stepEwma } from '../../statistics/online/ewma.ts';
import { emptyKswin, type KswinState, stepKswin } from '../../statistics/online/kswin.ts';
import {
  EMPTY_ONLINE_CVM,
  fitOnlineCvm,
  type OnlineCvmModel,
  type OnlineCvmState,
  stepOnlineCvm,
} from '../../statistics/online/online-cvm.ts';
import {
  EMPTY_ONLINE_FISHER,
  fitOnlineFisher,
  type OnlineFisherModel,
  type OnlineFisherState,
  stepOnlineFisher,
} from '../../statistics/online/online-fisher.ts';
import {
  EMPTY_ONLINE_MMD,
  fitOnlineMmd,
  type OnlineMmdModel,
  type OnlineMmdState,
  stepOnlineMmd,
} from '../../statistics/online/online-mmd.ts';
import { EMPTY_PAGE_HINKLEY, type PageHinkleyState, stepPageHinkley } from '../../statistics/online/page-hinkley.ts';
import { type Random, seededRandom } from '../../statistics/random.ts';

export type OnlineMethodName = MethodsThat<{ runs: 'row' } & Partial<DetectorMethod>>;
type Options = Readonly<Record<string, number>>;

/** NaN: the method does not say it. */
export interface Step {
  readonly state: unknown;
  readonly alarm: boolean;
  readonly statistic: number;
  readonly threshold: number;
  readonly pValue: number;
  readonly effectSize: number;
}

export interface ColumnMethod {
  readonly over: 'features';
  /** Values that it can take: the others are skipped. @default finite numbers */
  accepts?(value: number): boolean;
  /** `values`: of the reference, without missing ones; empty when the method needs none. @throws RangeError when it cannot be fitted */
  /** `first`: the model of the first column, where what was costly may be taken from. */
  fit(values: Float64Array, options: Options, random: Random, first: unknown): unknown;
  empty(seed: string): unknown;
  step(state: unknown, value: number, model: unknown): Step;
}

export interface RowMethod {
  readonly over: 'rows';
  fit(rows: readonly (readonly number[])[], options: Options, random: Random): unknown;
  empty(seed: string): unknown;
  step(state: unknown, row: readonly number[], model: unknown): Step;
}

const unknown = Number.NaN;
const cvmRows = 500;

export const onlineMethods: Readonly<Record<OnlineMethodName, ColumnMethod | RowMethod>> = {
  'online-cramer-von-mises': {
    over: 'features',
    fit: (values, options, random, first) => {
      const reference = sampled(values, cvmRows, random);
      const { length } = reference;
      // The statistic is free of the distribution: references of one size have one threshold.
      const known = first as OnlineCvmModel | undefined;
      if (known?.reference.length === length) return { ...known, reference: Array.from(reference.sort()) };
      return fitOnlineCvm(reference, random, calibration(options, 60_000));
    },
    empty: () => EMPTY_ONLINE_CVM,
    step: (before, value, model) => {
      const { state, verdict } = stepOnlineCvm(before as OnlineCvmState, value, model as OnlineCvmModel);
      return stepOf(state, verdict.alarm, verdict.statistic, verdict.threshold);
    },
  },
  'online-fisher': {
    over: 'features',
    accepts: (value) => value === 0 || value === 1,
    fit: (values, options, random) => {
      const ones = values.reduce((sum, value) => sum + value, 0);
      if (!values.every((value) => value === 0 || value === 1))
        throw new RangeError('the reference has other values than 0 and 1');
      return fitOnlineFisher({ count: values.length, ones }, random, calibration(options, 200_000));
    },
    empty: () => EMPTY_ONLINE_FISHER,
    step: (before, value, model) => {
      const { state, verdict } = stepOnlineFisher(before as OnlineFisherState, value, model as OnlineFisherModel);
      return {
        ...stepOf(state, verdict.alarm, verdict.statistic, verdict.threshold),
        pValue: verdict.pValue ?? unknown,
      };
    },
  },
  'online-mmd': {
    over: 'rows',
    fit: (rows, options, random) => {
      const chosen = rows.length <= 250 ? rows : random.sample(rows.length, 250).map((place) => rows[place] ?? []);
      const windowSize = Math.min(options['windowRows'] ?? 20, Math.floor(chosen.length / 4));
      return fitOnlineMmd(chosen, random, { ...calibration(options, 200_000), windowSize });
    },
    empty: () => EMPTY_ONLINE_MMD,
    step: (before, row, model) => {
      const { state, verdict } = stepOnlineMmd(before as OnlineMmdState, row, model as OnlineMmdModel);
      return stepOf(state, verdict.alarm, verdict.statistic ?? 0, verdict.threshold);
    },
  },
  'page-hinkley': {
    over: 'features',
    fit: (_, options) => options,
    empty: () => EMPTY_PAGE_HINKLEY,
    step: (before, value, model) => {
      const { delta = 0.005, threshold = 50, minRows = 30 } = model as Options;
      const held = before as PageHinkleyState;
      const { state, verdict } = stepPageHinkley(held, value, { delta, threshold, minInstances: minRows });
      const risen = verdict.up - Math.min(held.upMin ?? Infinity, verdict.up);
      const fallen = Math.max(held.downMax ?? -Infinity, verdict.down) - verdict.down;
      return stepOf(state, verdict.alarm, Math.max(risen, fallen), threshold);
    },
  },
  adwin: {
    over: 'features',
    // It has no reference that would say what is far: what no column measures is an accident.
    accepts: (value) => Math.abs(value) <= 1e30,
    fit: (_, options) => options,
    empty: () => EMPTY_ADWIN,
    step: (before, value, model) => {
      const held = before as AdwinState;
      const { state, verdict } = stepAdwin(held, value, { delta: (model as Options)['delta'] ?? 0.002, clip: 100 });
      const change = verdict.alarm ? Math.abs(verdict.mean - held.window.mean) : 0;
      return {
        state,
        alarm: verdict.alarm,
        statistic: change,
        threshold: unknown,
        pValue: unknown,
        effectSize: change,
      };
    },
  },
  cusum: {
    over: 'features',
    fit: (values, options) => ({ ...options, ...inControl(values, options) }),
    empty: () => EMPTY_CUSUM,
    step: (before, value, model) => {
      const { target = 0, spread = 1, allowance = 0.5, limit = 5 } = model as Options;
      const { state, verdict } = stepCusum(before as CusumState, value, {
        target,
        sigma: spread,
        k: allowance,
        h: limit,
      });
      return stepOf(state, verdict.alarm, Math.max(verdict.up, verdict.down), limit);
    },
  },
  ewma: {
    over: 'features',
    fit: (values, options) => ({ ...options, ...inControl(values, options) }),
    empty: () => EMPTY_EWMA,
    step: (before, value, model) => {
      const { target = 0, spread = 1, lambda = 0.2, width = 3 } = model as Options;
      const { state, verdict } = stepEwma(before as EwmaState, value, { target, sigma: spread, lambda, width });
      return stepOf(state, verdict.alarm, Math.abs(verdict.average - target), verdict.upper - target);
    },
  },
  kswin: {
    over: 'features',
    fit: (_, options) => options,
    empty: (seed) => emptyKswin(seed),
    step: (before, value, model) => {
      const alpha = (model as Options)['alpha'] ?? 0.005;
      const { state, verdict } = stepKswin(before as KswinState, value, { alpha });
      const statistic = verdict.statistic ?? 0;
      const pValue = verdict.pValue ?? unknown;
      return { state, alarm: verdict.alarm, statistic, threshold: alpha, pValue, effectSize: statistic };
    },
  },
};

/** A state as JSON gave it back: what JSON has no number for is null there, and null here. */
export function emptyStates(method: OnlineMethodName, columns: readonly string[], seed: string): readonly unknown[] {
  const { over, empty } = onlineMethods[method];
  return over === 'rows' ? [empty(seed)] : columns.map((name) => empty(`${seed}/${name}`));
}

function stepOf(state: unknown, alarm: boolean, statistic: number, threshold: number): Step {
  return { state, alarm, statistic, threshold, pValue: unknown, effectSize: statistic / threshold };
}

/** As many simulated streams as the time allows: the longer the run time, the fewer. */
function calibration(
  { expectedRunTime = 1_000 }: Options,
  steps: number,
): { expectedRunTime: number; simulations: number } {
  return { expectedRunTime, simulations: Math.max(40, Math.min(200, Math.round(steps / expectedRunTime))) };
}

function inControl(
  values: Float64Array,
  { target = unknown, spread = unknown }: Options,
): { target: number; spread: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const control = {
    target: Number.isNaN(target) ? mean : target,
    spread: Number.isNaN(spread) ? Math.sqrt(variance) : spread,
  };
  if (!(control.spread > 0)) throw new RangeError('the reference is constant: give the option spread');
  return control;
}

function sampled(values: Float64Array, most: number, random: Random): Float64Array {
  if (values.length <= most) return values;
  return Float64Array.from(random.sample(values.length, most), (place) => values[place] ?? 0);
}

/** The seed of a detector: the same in the fold and in a replay. */
export function seedOf(deployment: string, deploymentVersion: number, detector: string): string {
  return `${deployment}/${deploymentVersion}/${detector}`;
}

/** What the fit of a detector draws. */
export function fitRandom(seed: string): Random {
  return seededRandom(`fit/${seed}`);
}
