/**
 * Quality metrics from feedback, in windows: of each deployment version as a whole and of each of its routes, each over all rows and
 * apart by the segments that its document names. A window ends when it is full, or some time after it began; a series without rows for a
 * week is forgotten, and begins anew.
 */
import {
  type Effects,
  nothing,
  type Output,
  type StateView,
  type TimerSpec,
  type Topology,
} from '../runtime/engine/topology.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { QualityAssessed, QualityBound, RewardRecorded } from '../schemas/events.ts';
import {
  type ClassifiedRow,
  classificationQuality,
  regressionQuality,
  rewardQuality,
  undefinedQuality,
} from '../statistics/metrics/quality.ts';
import { stateKey } from './decision-request.ts';

export const quality: Topology<'rewards'> = {
  name: 'quality',
  version: 2,
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

  onTimer({ name, timeMs }, state) {
    const window = state.get<Window>(name);
    if (window === undefined) return {};
    if (window.rows.length === 0) return { delete: [name], count: { qualitySeriesForgotten: 1 } };
    return { ...closed(name, window, timeMs), count: { qualityWindows: 1 } };
  },
};

type Series = Pick<
  QualityAssessed,
  'deployment' | 'deploymentVersion' | 'route' | 'model' | 'modelVersion' | 'segment'
>;

/** null: unknown. A class is a row with an answer and a label; one with a reward alone tells of rewards only. */
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
  /** Those that look at the series. */
  readonly bounds?: readonly QualityBound[];
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
  // what the rules make of the error is the error again
  const own = rule === 'function' || rule === 'feedback' ? reward : null;
  if (!isClass && (prediction === null || truth === null))
    return own === null ? undefined : [null, null, own, null, null, []];
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
    bounds: data.bounds.filter((bound) => bound.route === series.route && bound.segment === series.segment),
  };
  if (window.rows.length >= data.qualityRows) return closed(key, window, timeMs);
  return { put: [[key, window]], setTimers: first ? [timer(key, timeMs + data.qualityMaxAgeMs)] : [] };
}

/** Without rows in a series, its number is kept so long. */
const keptMs = 7 * 86_400_000;

function closed(key: string, window: Window, timeMs: number): Effects {
  const next: Window = { ...window, number: window.number + 1, rows: [] };
  return { put: [[key, next]], setTimers: [timer(key, timeMs + keptMs)], emit: [assessed(window)] };
}

/** The one of a series: ends its window, or forgets it. */
const timer = (key: string, dueMs: number): TimerSpec => ({ name: key, dueMs, reads: { keys: [key] } });

function assessed({ series, number, fromMs, toMs, rows, bounds = [] }: Window): Output {
  const classes = rows.flatMap(([, , , answer, label, probabilities]): ClassifiedRow[] =>
    answer === null || label === null ? [] : [{ answer, label, probabilities }],
  );
  const numbers = rows.flatMap(([prediction, truth]) =>
    prediction === null || truth === null ? [] : [[prediction, truth] as const],
  );
  const isClassification = classes.length > numbers.length;
  const judged = judge(isClassification ? { classes } : { numbers });
  const rewards = rows.flatMap(([, , reward]) => (reward === null || !Number.isFinite(reward) ? [] : [reward]));
  const data: QualityAssessed = {
    ...series,
    ...{ window: number, fromMs, toMs },
    ...(classes.length + numbers.length === 0
      ? { task: 'reward', rows: rewards.length, metrics: [], calibration: [] }
      : {
          task: isClassification ? 'classification' : 'regression',
          rows: isClassification ? classes.length : numbers.length,
          metrics: judged.metrics,
          calibration: judged.calibration,
        }),
    reward: rewards.length < 2 ? null : rewardQuality(rewards),
    windowId: bounds.length === 0 ? '' : derivedId(toMs, 'quality', keyOf(series), number),
    bounds: [...bounds],
  };
  return { topic: 'quality', type: 'quality-assessed', data, key: series.deployment };
}

/** A window that cannot be judged ends like any other, without values: else every row after it would fail by it, for ever. */
function judge(
  rows:
    | { readonly classes: readonly ClassifiedRow[] }
    | { readonly numbers: readonly (readonly [prediction: number, truth: number])[] },
): Pick<QualityAssessed, 'metrics' | 'calibration'> {
  try {
    if ('classes' in rows) return classificationQuality(rows.classes);
    const [predicted, truth] = [0, 1].map((side) => rows.numbers.map((row) => row[side] ?? Number.NaN));
    return { metrics: regressionQuality(truth ?? [], predicted ?? []), calibration: [] };
  } catch {
    return { metrics: undefinedQuality('classes' in rows ? 'classification' : 'regression'), calibration: [] };
  }
}

function keyOf({ deployment, deploymentVersion, route, model, modelVersion, segment }: Series): string {
  return stateKey('q', deployment, deploymentVersion, route, model, modelVersion, segment);
}
