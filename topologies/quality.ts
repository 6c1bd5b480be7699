/**
 * Quality metrics from feedback, in windows: of each deployment version as a whole and of each of its routes, each over all rows and
 * apart by the segments that its document names. A window ends when it is full, or some time after it began.
 */
import { type Effects, nothing, type Output, type StateView, type Topology } from '../runtime/engine/topology.ts';
import type { QualityAssessed, RewardRecorded } from '../schemas/events.ts';
import {
  type ClassifiedRow,
  classificationQuality,
  regressionQuality,
  rewardQuality,
} from '../statistics/metrics/quality.ts';
import { stateKey } from './decision-request.ts';

export const quality: Topology<'rewards'> = {
  name: 'quality',
  version: 1,
  input: 'rewards',
  outputs: ['quality'],
  // A row has no state of its own by which a late repeat would be known.
  idWindow: 10_000,
  summary: 'computes quality metrics of predictions whose truth is known, by route, segment and window',
  // nobody waits for it
  lingerMs: 20,

  reads(event) {
    if (event.type !== 'reward-recorded') return {};
    return { keys: seriesOf(event.data).map(keyOf) };
  },

  fold(event, state) {
    if (event.type !== 'reward-recorded') return nothing;
    const { data, timeMs } = event;
    const row = rowOf(data);
    if (!(data.qualityRows > 0) || row === undefined) return nothing;
    const effects = seriesOf(data).map((series) => add(series, row, data, timeMs, state));
    return {
      put: effects.flatMap(({ put = [] }) => put),
      setTimers: effects.flatMap(({ setTimers = [] }) => setTimers),
      clearTimers: effects.flatMap(({ clearTimers = [] }) => clearTimers),
      emit: effects.flatMap(({ emit = [] }) => emit),
      count: { qualityRows: 1, qualityWindows: effects.filter(({ emit = [] }) => emit.length > 0).length },
    };
  },

  onTimer({ name }, state) {
    const window = state.get<Window>(name);
    if (window === undefined || window.rows.length === 0) return {};
    return { put: [[name, next(window)]], emit: [assessed(window)], count: { qualityWindows: 1 } };
  },
};

type Series = Pick<
  QualityAssessed,
  'deployment' | 'deploymentVersion' | 'route' | 'model' | 'modelVersion' | 'segment'
>;

/** null: unknown. A class is a row with an answer and a label. */
type Row = readonly [
  prediction: number | null,
  truth: number | null,
  reward: number | null,
  answer: string | null,
  label: string | null,
  probabilities: readonly number[],
];

interface Window {
  readonly series: Series;
  /** From 1. */
  readonly number: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly rows: readonly Row[];
}

function seriesOf({ deployment, deploymentVersion, route, model, modelVersion, segments }: RewardRecorded): Series[] {
  const version = { deployment, deploymentVersion };
  return ['', ...segments].flatMap((segment) => [
    { ...version, route: '', model: '', modelVersion: 0, segment },
    { ...version, route, model, modelVersion, segment },
  ]);
}

/** undefined: it tells nothing of quality. */
function rowOf({ prediction, truth, reward, answer, label, probabilities, rule }: RewardRecorded): Row | undefined {
  const isClass = answer !== null && label !== null;
  if (!isClass && (prediction === null || truth === null)) return undefined;
  // what the rules make of the error is the error again
  const own = rule === 'function' || rule === 'feedback' ? reward : null;
  return isClass ? [null, null, own, answer, label, probabilities] : [prediction, truth, own, null, null, []];
}

function add(series: Series, row: Row, data: RewardRecorded, timeMs: number, state: StateView): Effects {
  const key = keyOf(series);
  const before = state.get<Window>(key) ?? { series, number: 1, fromMs: timeMs, toMs: timeMs, rows: [] };
  const first = before.rows.length === 0;
  const window: Window = {
    ...before,
    fromMs: first ? timeMs : before.fromMs,
    toMs: timeMs,
    rows: [...before.rows, row],
  };
  if (window.rows.length >= data.qualityRows)
    return { put: [[key, next(window)]], clearTimers: [key], emit: [assessed(window)] };
  const timer = { name: key, dueMs: timeMs + data.qualityMaxAgeMs, reads: { keys: [key] } };
  return { put: [[key, window]], setTimers: first ? [timer] : [] };
}

const next = (window: Window): Window => ({ ...window, number: window.number + 1, rows: [] });

function assessed({ series, number, fromMs, toMs, rows }: Window): Output {
  const classes = rows.flatMap(([, , , answer, label, probabilities]): ClassifiedRow[] =>
    answer === null || label === null ? [] : [{ answer, label, probabilities }],
  );
  const isClassification = classes.length * 2 > rows.length;
  const numbers = rows.flatMap(([prediction, truth]) =>
    prediction === null || truth === null ? [] : [[prediction, truth] as const],
  );
  const judged = isClassification
    ? classificationQuality(classes)
    : {
        metrics: regressionQuality(
          numbers.map(([, truth]) => truth),
          numbers.map(([prediction]) => prediction),
        ),
        calibration: [],
      };
  const rewards = rows.flatMap(([, , reward]) => (reward === null ? [] : [reward]));
  const data: QualityAssessed = {
    ...series,
    ...{ window: number, fromMs, toMs },
    rows: isClassification ? classes.length : numbers.length,
    task: isClassification ? 'classification' : 'regression',
    metrics: judged.metrics,
    calibration: judged.calibration,
    reward: rewards.length < 2 ? null : rewardQuality(rewards),
  };
  return { topic: 'quality', type: 'quality-assessed', data, key: series.deployment };
}

function keyOf({ deployment, deploymentVersion, route, model, modelVersion, segment }: Series): string {
  return stateKey('q', deployment, deploymentVersion, route, model, modelVersion, segment);
}
