/**
 * Alarms from drift verdicts, with hysteresis: raised after `raiseAfter` drifted windows in a row, cleared after `clearAfter` clean ones.
 * A window that could not be judged changes nothing. A new version of the deployment begins its count anew; an alarm that is on stays
 * on until the new version's windows are clean, and when they drift too, that is said to the version's rollout. The alarm of a detector
 * that the deployment has no more, or of a deployment that is removed, is over with it.
 */
import { type Effects, nothing, type Output, type StateView, type Topology } from '../runtime/engine/topology.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { DetectorsConfigured, DriftAssessed, FeatureDrift } from '../schemas/events.ts';

export const driftAlerts: Topology<'drift'> = {
  name: 'drift-alerts',
  version: 2,
  input: 'drift',
  outputs: ['alerts', 'route-evidence'],
  summary: 'raises and clears the drift alarm of each deployment',

  reads(event) {
    switch (event.type) {
      case 'drift-assessed':
        return { keys: [keyOf(event.data), configuredKey(event.data.deployment)] };
      case 'detectors-configured': {
        const { deployment } = event.data;
        return { keys: [configuredKey(deployment)], ranges: [{ prefix: alarmsOf(deployment), limit: alarmsMax }] };
      }
      case 'drift-not-assessed':
        return {};
    }
  },

  fold(event, state) {
    if (event.type === 'detectors-configured') return configured(event.data, state);
    if (event.type !== 'drift-assessed') return { count: { notAssessed: 1 } };
    const verdict = event.data;
    if (isOver(verdict, state.get<Configured>(configuredKey(verdict.deployment))))
      return { count: { verdictsOfOldVersions: 1 } };
    const key = keyOf(verdict);
    const known = state.get<Alarm>(key) ?? { version: verdict.deploymentVersion, drifted: 0, clean: 0, alertId: null };
    if (verdict.deploymentVersion < known.version) return { count: { verdictsOfOldVersions: 1 } };
    if (known.lastWindow === findingIdOf(verdict)) return nothing;
    const begun = verdict.deploymentVersion === known.version ? known : { ...known, drifted: 0, clean: 0 };
    const counted: Alarm = {
      version: verdict.deploymentVersion,
      drifted: verdict.drifted ? begun.drifted + 1 : 0,
      clean: verdict.drifted ? 0 : begun.clean + 1,
      alertId: begun.alertId,
      lastWindow: findingIdOf(verdict),
      ...(begun.said === undefined ? {} : { said: begun.said }),
    };
    const isDrift = counted.drifted >= Math.max(1, verdict.raiseAfter);
    if (counted.alertId === null && isDrift) {
      const alertId = derivedId(event.timeMs, 'drift', verdict.deployment, verdict.detector, verdict.windowId);
      return {
        put: [[key, { ...counted, alertId, said: counted.version }]],
        emit: raised(verdict, alertId, counted.drifted),
        count: { raised: 1 },
      };
    }
    if (counted.alertId !== null && isDrift && (counted.said ?? 0) < counted.version) {
      const message = messageOf(verdict, counted.drifted);
      return {
        put: [[key, { ...counted, said: counted.version }]],
        emit: [observed(verdict, counted.alertId, message)],
      };
    }
    if (counted.alertId !== null && counted.clean >= Math.max(1, verdict.clearAfter)) {
      return {
        put: [[key, { ...counted, alertId: null }]],
        emit: [cleared(verdict, findingIdOf(verdict), counted.alertId)],
        count: { cleared: 1 },
      };
    }
    return { put: [[key, counted]] };
  },
};

/** Per deployment and detector. */
interface Alarm {
  readonly version: number;
  /** Windows in a row, up to the newest. */
  readonly drifted: number;
  readonly clean: number;
  /** Of the alarm that is on. */
  readonly alertId: string | null;
  readonly lastWindow?: string;
  /** Newest version to whose rollout the drift was said. */
  readonly said?: number;
}

/** Detectors of the newest version of a deployment. */
type Configured = Pick<DetectorsConfigured, 'deploymentVersion' | 'detectors'>;

/** More than a document can name. */
const alarmsMax = 10_000;

function configured({ deployment, deploymentVersion, detectors }: DetectorsConfigured, state: StateView): Effects {
  const key = configuredKey(deployment);
  if (deploymentVersion < (state.get<Configured>(key)?.deploymentVersion ?? 0)) return nothing;
  const prefix = alarmsOf(deployment);
  const gone = state
    .range<Alarm>(prefix)
    .map(([place, alarm]) => ({ place, alarm, detector: place.slice(prefix.length) }))
    .filter(({ detector }) => !detectors.includes(detector));
  const emit = gone.flatMap(({ alarm: { alertId, lastWindow = '' }, detector }) =>
    alertId === null ? [] : [cleared({ deployment, deploymentVersion, detector }, lastWindow, alertId)],
  );
  return {
    put: [[key, { deploymentVersion, detectors } satisfies Configured]],
    delete: gone.map(({ place }) => place),
    emit,
    count: { cleared: emit.length },
  };
}

/** A verdict that comes after its version, or its detector, was replaced. */
function isOver({ deploymentVersion, detector }: DriftAssessed, now: Configured | undefined): boolean {
  if (now === undefined || deploymentVersion > now.deploymentVersion) return false;
  return deploymentVersion < now.deploymentVersion || !now.detectors.includes(detector);
}

function raised(verdict: DriftAssessed, alertId: string, windows: number): readonly Output[] {
  const { deployment, deploymentVersion, detector } = verdict;
  const message = messageOf(verdict, windows);
  const data = {
    deployment,
    deploymentVersion,
    kind: 'drift',
    subject: detector,
    message,
    evidenceId: findingIdOf(verdict),
    alertId,
  };
  return [{ topic: 'alerts', type: 'alert-raised', data, key: deployment }, observed(verdict, alertId, message)];
}

/** For the rollout of this version. */
function observed({ deployment, deploymentVersion }: DriftAssessed, alertId: string, message: string): Output {
  const data = { deployment, deploymentVersion, alertId, message };
  return { topic: 'route-evidence', type: 'drift-observed', data, key: deployment };
}

function messageOf({ rows, features, referenceKind }: DriftAssessed, windows: number): string {
  const moved = features.filter(({ drifted }) => drifted).sort((a, b) => b.effectSize - a.effectSize);
  const named = moved.slice(0, 3).map(described).join(', ');
  return (
    `${moved.length} of ${features.length} features moved away from ${comparedWith[referenceKind] ?? 'what they were'}, ` +
    `in ${windows} window${windows === 1 ? '' : 's'} in a row (the last of ${rows} rows): ` +
    named +
    (moved.length > 3 ? ', …' : '')
  );
}

const comparedWith: Readonly<Record<string, string>> = {
  artifact: 'the training data',
  first: 'the first rows',
  window: 'an earlier window',
};

function cleared(
  { deployment, deploymentVersion, detector }: Pick<DriftAssessed, 'deployment' | 'deploymentVersion' | 'detector'>,
  evidenceId: string,
  alertId: string,
): Output {
  const data = { deployment, deploymentVersion, kind: 'drift', subject: detector, evidenceId, alertId };
  return { topic: 'alerts', type: 'alert-cleared', data, key: deployment };
}

function described({ name, test, effectSize, effect }: FeatureDrift): string {
  const what = { 'chi-squared': "Cramér's V", 'kolmogorov-smirnov': 'KS distance' }[test] ?? effect;
  return `${name === '*' ? 'all columns together' : name} (${what} ${effectSize.toFixed(2)})`;
}

const findingIdOf = ({ findingId, windowId }: DriftAssessed): string => (findingId === '' ? windowId : findingId);

const alarmsOf = (deployment: string): string => `d/${deployment}/`;
const keyOf = ({ deployment, detector }: DriftAssessed): string => alarmsOf(deployment) + detector;
const configuredKey = (deployment: string): string => `c/${deployment}`;
