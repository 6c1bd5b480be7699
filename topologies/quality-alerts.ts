/**
 * Alerts from quality windows: raised when a metric lay beyond its bound in `raiseAfter` windows in a row, cleared after `clearAfter` that
 * do not. A window that does not have the metric, or too few rows, changes nothing. A new version of the deployment begins its count anew;
 * an alert that is on stays on until windows of the new version are within the bound. The alert of a bound that the deployment has no
 * more, or of a deployment that is removed, is over with it.
 */
import { type Effects, nothing, type Output, type StateView, type Topology } from '../runtime/engine/topology.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { AlertCleared, BoundsConfigured, QualityAssessed, QualityBound } from '../schemas/events.ts';
import { stateKey } from './decision-request.ts';

export const qualityAlerts: Topology<'quality'> = {
  name: 'quality-alerts',
  version: 2,
  input: 'quality',
  outputs: ['alerts'],
  summary: 'raises and clears alerts when quality or rewards lie beyond their bounds',

  reads(event) {
    const { deployment } = event.data;
    const known = configuredKey(deployment);
    switch (event.type) {
      case 'quality-assessed': {
        const { bounds } = event.data;
        return { keys: bounds.length === 0 ? [] : [known, ...bounds.map(({ name }) => keyOf(deployment, name))] };
      }
      case 'bounds-configured':
        return { keys: [known], ranges: [{ prefix: alarmsOf(deployment), limit: alarmsMax }] };
    }
  },

  fold(event, state) {
    if (event.type === 'bounds-configured') return configured(event.data, state);
    const { data, timeMs } = event;
    if (data.bounds.length === 0) return nothing;
    const now = state.get<Configured>(configuredKey(data.deployment));
    const bounds = data.bounds.filter(({ name }) => !isOver(data, name, now));
    if (bounds.length === 0) return { count: { windowsOfOldVersions: 1 } };
    const effects = bounds.map((bound) => judge(data, bound, timeMs, state));
    const sum = (name: string): number => effects.reduce((all, { count = {} }) => all + (count[name] ?? 0), 0);
    return {
      put: effects.flatMap(({ put = [] }) => put),
      emit: effects.flatMap(({ emit = [] }) => emit),
      count: { raised: sum('raised'), cleared: sum('cleared'), notJudged: sum('notJudged') },
    };
  },
};

/** Per deployment and bound. */
interface Alarm {
  readonly version: number;
  /** Windows in a row, up to the newest. */
  readonly beyond: number;
  readonly within: number;
  /** Of the alert that is on. */
  readonly alertId: string | null;
  readonly lastWindow: string;
}

/** Bounds of the newest version of a deployment. */
type Configured = Pick<BoundsConfigured, 'deploymentVersion' | 'bounds'>;

/** More than a document can name. */
const alarmsMax = 10_000;

function configured({ deployment, deploymentVersion, bounds }: BoundsConfigured, state: StateView): Effects {
  const key = configuredKey(deployment);
  if (deploymentVersion < (state.get<Configured>(key)?.deploymentVersion ?? 0)) return nothing;
  const prefix = alarmsOf(deployment);
  const gone = state
    .range<Alarm>(prefix)
    .map(([place, alarm]) => ({ place, alarm, name: place.slice(prefix.length) }))
    .filter(({ name }) => !bounds.includes(name));
  const emit = gone.flatMap(({ alarm: { alertId, lastWindow }, name }) =>
    alertId === null ? [] : [cleared(about({ deployment, deploymentVersion, windowId: lastWindow }, name), alertId)],
  );
  return {
    put: [[key, { deploymentVersion, bounds } satisfies Configured]],
    delete: gone.map(({ place }) => place),
    emit,
    count: { cleared: emit.length },
  };
}

/** A window that comes after its version, or its bound, was replaced. */
function isOver({ deploymentVersion }: QualityAssessed, name: string, now: Configured | undefined): boolean {
  if (now === undefined || deploymentVersion > now.deploymentVersion) return false;
  return deploymentVersion < now.deploymentVersion || !now.bounds.includes(name);
}

function judge(window: QualityAssessed, bound: QualityBound, timeMs: number, state: StateView): Effects {
  const { deployment, deploymentVersion: version, windowId } = window;
  const key = keyOf(deployment, bound.name);
  const known = state.get<Alarm>(key) ?? { version, beyond: 0, within: 0, alertId: null, lastWindow: '' };
  if (version < known.version || known.lastWindow === windowId) return {};
  const found = boundedValue(window, bound);
  if (found === undefined) return { count: { notJudged: 1 } };
  const isBeyond = liesBeyond(found, bound);
  const begun = version === known.version ? known : { ...known, beyond: 0, within: 0 };
  const counted: Alarm = {
    version,
    beyond: isBeyond ? begun.beyond + 1 : 0,
    within: isBeyond ? 0 : begun.within + 1,
    alertId: begun.alertId,
    lastWindow: windowId,
  };
  if (counted.alertId === null && counted.beyond >= bound.raiseAfter) {
    const alertId = derivedId(timeMs, 'quality', deployment, bound.name, windowId);
    const data = { ...about(window, bound.name), message: messageOf(window, bound, found, counted.beyond), alertId };
    const raised: Output = { topic: 'alerts', type: 'alert-raised', data, key: deployment };
    return { put: [[key, { ...counted, alertId }]], emit: [raised], count: { raised: 1 } };
  }
  if (counted.alertId !== null && counted.within >= bound.clearAfter) {
    const emit = [cleared(about(window, bound.name), counted.alertId)];
    return { put: [[key, { ...counted, alertId: null }]], emit, count: { cleared: 1 } };
  }
  return { put: [[key, counted]] };
}

type About = Omit<AlertCleared, 'alertId'>;

function about(
  { deployment, deploymentVersion, windowId }: Pick<QualityAssessed, 'deployment' | 'deploymentVersion' | 'windowId'>,
  subject: string,
): About {
  return { deployment, deploymentVersion, kind: 'quality', subject, evidenceId: windowId };
}

function cleared(of: About, alertId: string): Output {
  return { topic: 'alerts', type: 'alert-cleared', data: { ...of, alertId }, key: of.deployment };
}

/** Bounds that a window lies beyond, by name. */
export function brokenBounds(window: QualityAssessed): readonly string[] {
  return window.bounds.flatMap((bound) => {
    const found = boundedValue(window, bound);
    return found !== undefined && liesBeyond(found, bound) ? [bound.name] : [];
  });
}

interface Bounded {
  readonly value: number;
  /** Of the 95 % interval; NaN: none is known. */
  readonly low: number;
  readonly high: number;
  readonly rows: number;
}

/** undefined: the window tells nothing of it. */
function boundedValue({ metrics, reward, rows }: QualityAssessed, bound: QualityBound): Bounded | undefined {
  const found = bound.metric.startsWith('reward_')
    ? rewardValue(reward, bound.metric)
    : metricValue(metrics, rows, bound);
  return found === undefined || Number.isNaN(found.value) || found.rows < bound.minRows ? undefined : found;
}

function metricValue(metrics: QualityAssessed['metrics'], rows: number, { metric }: QualityBound): Bounded | undefined {
  const found = metrics.find(({ name }) => name === metric);
  return found === undefined ? undefined : { ...found, rows };
}

function rewardValue(reward: QualityAssessed['reward'], metric: string): Bounded | undefined {
  if (reward === null) return undefined;
  const { count: rows, mean, meanLow, meanHigh, median, medianLow, medianHigh } = reward;
  return metric === 'reward_median'
    ? { value: median, low: medianLow, high: medianHigh, rows }
    : { value: mean, low: meanLow, high: meanHigh, rows };
}

/** By the nearer end of the interval where the bound asks to be sure. */
function liesBeyond({ value, low, high }: Bounded, { least, most, surely }: QualityBound): boolean {
  const upper = surely && !Number.isNaN(high) ? high : value;
  const lower = surely && !Number.isNaN(low) ? low : value;
  return (least !== null && upper < least) || (most !== null && lower > most);
}

function messageOf({ rows }: QualityAssessed, bound: QualityBound, found: Bounded, windows: number): string {
  const { metric, least, most, route, segment } = bound;
  const isBelow = least !== null && found.value < least;
  const limit = isBelow ? `below ${least}` : `above ${most}`;
  const of = [route === '' ? '' : ` of route '${route}'`, segment === '' ? '' : ` where ${segment}`].join('');
  const times = windows === 1 ? 'in a window' : `in ${windows} windows in a row`;
  return `${metric}${of} is ${figure(found.value)}, ${limit}, ${times} (the last of ${Math.max(rows, found.rows)} rows)`;
}

const figure = (value: number): string => String(Number(value.toPrecision(4)));
const alarmsOf = (deployment: string): string => `${stateKey('b', deployment)}/`;
const keyOf = (deployment: string, name: string): string => stateKey('b', deployment, name);
const configuredKey = (deployment: string): string => stateKey('c', deployment);
