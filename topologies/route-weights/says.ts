/** The facts and the row that a change of weights or of a rollout makes. */
import type { Effects, Output } from '../../runtime/engine/topology.ts';
import type { RouteEvidence } from '../../schemas/events.ts';
import { evidenceOf, rolloutState, type Steered } from './state.ts';

export interface Change {
  readonly cause: 'bandit' | 'rollout';
  readonly reason: string;
  readonly seed: string;
  readonly timeMs: number;
  /** What justifies it. */
  readonly evidence: readonly RouteEvidence[];
}

/** The next version of the weights, with its row. */
export function weightsChanged(next: Steered, change: Change): readonly Output[] {
  const { deployment, version, weightsVersion, weights } = next;
  const { cause, reason, seed, evidence } = change;
  return [
    {
      topic: 'deployment-events',
      type: 'weights-changed',
      data: {
        deployment,
        deploymentVersion: version,
        weightsVersion,
        weights,
        cause,
        reason,
        seed,
        evidence,
      },
      key: deployment,
    },
    row(next, change),
  ];
}

export function row(steered: Steered, { cause, reason, timeMs }: Omit<Change, 'evidence' | 'seed'>): Output {
  const { deployment, version, weightsVersion, weights } = steered;
  const data = {
    deployment,
    deploymentVersion: version,
    weightsVersion,
    weights,
    cause,
    reason,
    evidence: evidenceOf(steered),
    rollout: rolloutState(steered),
    updatedAt: timeMs,
  };
  return { topic: 'routers', type: 'router-row', data, key: deployment };
}

/** The row is forgotten: the deployment's document alone says how its traffic is shared. */
export function forgotten(deployment: string): Output {
  const data = {
    deployment,
    deploymentVersion: 0,
    weightsVersion: 0,
    weights: [],
    cause: '',
    reason: '',
    evidence: [],
    rollout: null,
    updatedAt: 0,
  };
  return { topic: 'routers', type: 'router-row', data, key: deployment, tombstone: true };
}

export function rolloutMoved(
  steered: Steered,
  action: string,
  actor: string,
  requestId: string,
  evidence: readonly RouteEvidence[],
): readonly Output[] {
  const rollout = rolloutState(steered);
  if (rollout === null) return [];
  const { deployment, version } = steered;
  const data = {
    deployment,
    deploymentVersion: version,
    rollout,
    action,
    actor,
    requestId,
    evidence,
  };
  return [{ topic: 'deployment-events', type: 'rollout-moved', data, key: deployment }];
}

export const stateKeyOf = (deployment: string): string => `w/${deployment}`;
export const timerOf = (deployment: string): string => `rollout/${deployment}`;

export const keep = (steered: Steered): Required<Pick<Effects, 'put'>> => ({
  put: [[stateKeyOf(steered.deployment), steered]],
});
