/**
 * Alarms from drift verdicts, with hysteresis: raised after `raiseAfter` drifted windows in a row, cleared after `clearAfter` clean ones.
 * A window that could not be judged changes nothing. A new version of the deployment begins its count anew; an alarm that is on stays
 * on until the new version's windows are clean.
 */
import { nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { DriftAssessed, FeatureDrift } from '../schemas/events.ts';

export const driftAlerts: Topology<'drift'> = {
  name: 'drift-alerts',
  version: 1,
  input: 'drift',
  outputs: ['alerts', 'route-evidence'],
  summary: 'raises and clears the drift alarm of each deployment',

  reads(event) {
    return event.type === 'drift-assessed' ? { keys: [keyOf(event.data)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'drift-assessed') return { count: { notAssessed: 1 } };
    const verdict = event.data;
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
    };
    if (counted.alertId === null && counted.drifted >= Math.max(1, verdict.raiseAfter)) {
      const alertId = derivedId(event.timeMs, 'drift', verdict.deployment, verdict.detector, verdict.windowId);
      return {
        put: [[key, { ...counted, alertId }]],
        emit: raised(verdict, alertId, counted.drifted),
        count: { raised: 1 },
      };
    }
    if (counted.alertId !== null && counted.clean >= Math.max(1, verdict.clearAfter)) {
      return {
        put: [[key, { ...counted, alertId: null }]],
        emit: [cleared(verdict, counted.alertId)],
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
}

function raised(verdict: DriftAssessed, alertId: string, windows: number): readonly Output[] {
  const { deployment, deploymentVersion, detector, rows, features, referenceKind } = verdict;
  const moved = features.filter(({ drifted }) => drifted).sort((a, b) => b.effectSize - a.effectSize);
  const named = moved.slice(0, 3).map(described).join(', ');
  const message =
    `${moved.length} of ${features.length} features moved away from ${comparedWith[referenceKind] ?? 'what they were'}, ` +
    `in ${windows} window${windows === 1 ? '' : 's'} in a row (the last of ${rows} rows): ` +
    named +
    (moved.length > 3 ? ', …' : '');
  const data = {
    deployment,
    deploymentVersion,
    kind: 'drift',
    subject: detector,
    message,
    evidenceId: findingIdOf(verdict),
    alertId,
  };
  const observed = { deployment, deploymentVersion, alertId, message };
  return [
    { topic: 'alerts', type: 'alert-raised', data, key: deployment },
    { topic: 'route-evidence', type: 'drift-observed', data: observed, key: deployment },
  ];
}

const comparedWith: Readonly<Record<string, string>> = {
  artifact: 'the training data',
  first: 'the first rows',
  window: 'an earlier window',
};

function cleared(verdict: DriftAssessed, alertId: string): Output {
  const { deployment, deploymentVersion, detector } = verdict;
  const evidenceId = findingIdOf(verdict);
  const data = { deployment, deploymentVersion, kind: 'drift', subject: detector, evidenceId, alertId };
  return { topic: 'alerts', type: 'alert-cleared', data, key: deployment };
}

function described({ name, test, effectSize, effect }: FeatureDrift): string {
  const what = { 'chi-squared': "Cramér's V", 'kolmogorov-smirnov': 'KS distance' }[test] ?? effect;
  return `${name === '*' ? 'all columns together' : name} (${what} ${effectSize.toFixed(2)})`;
}

const findingIdOf = ({ findingId, windowId }: DriftAssessed): string => (findingId === '' ? windowId : findingId);

const keyOf = ({ deployment, detector }: DriftAssessed): string => `d/${deployment}/${detector}`;
