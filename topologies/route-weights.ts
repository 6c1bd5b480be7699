/**
 * Owns the weights of routes where a bandit or a rollout decides: each version of them is a fact with the evidence that justifies it, and a
 * row for the model servers. Its state follows from the records alone; draws are seeded by what was recorded. A new version of the
 * deployment begins anew, evidence of older ones is dropped and counted.
 */
import { type Effects, nothing, type StateView, type Topology } from '../runtime/engine/topology.ts';
import type { RolloutControlRequested, TrafficConfigured } from '../schemas/events.ts';
import { rewardMax } from '../schemas/feedback-check.ts';
import { initialWeights, isSteered, type SteeringSettings } from '../schemas/traffic.ts';
import { decideOnce, decisionKey } from './decision-request.ts';
import { rewarded } from './route-weights/bandit.ts';
import {
  beginRollout,
  controlled,
  judged,
  promotionRefused,
  withOutcomes,
  withReward,
} from './route-weights/rollout.ts';
import { forgotten, stateKeyOf, timerOf } from './route-weights/says.ts';
import type { Steered } from './route-weights/state.ts';

export const routeWeights: Topology<'route-evidence'> = {
  name: 'route-weights',
  version: 3,
  input: 'route-evidence',
  outputs: ['deployment-events', 'routers', 'registry'],
  summary: 'decides the weights of routes: bandits by rewards, rollouts by steps and criteria',

  reads(event) {
    const { deployment } = event.data;
    const keys = [stateKeyOf(deployment)];
    return event.type === 'rollout-control-requested'
      ? { keys: [...keys, decisionKey(deployment, event.data.requestId)] }
      : { keys };
  },

  fold(event, state) {
    const steered = state.get<Steered>(stateKeyOf(event.data.deployment));
    if (event.type === 'traffic-configured') return configured(event.data, steered, event.timeMs);
    if (event.type === 'rollout-control-requested') return control(event.data, steered, state, event.timeMs);
    if (steered === undefined || steered.version !== event.data.deploymentVersion)
      return { count: { evidenceOfOtherVersions: 1 } };
    const { bandit, rollout } = steered.settings.traffic ?? {};
    switch (event.type) {
      case 'outcomes-observed':
        return rollout === undefined ? nothing : judged(withOutcomes(steered, event.data), rollout, event.timeMs);
      case 'reward-observed':
        // One such reward would rule the sums of its route for good.
        if (!(Math.abs(event.data.reward) <= rewardMax)) return { count: { rewardsUnusable: 1 } };
        if (bandit !== undefined && event.data.shadow) return nothing;
        if (bandit !== undefined) return rewarded(steered, bandit, event.data, event.timeMs);
        return rollout === undefined ? nothing : judged(withReward(steered, event.data), rollout, event.timeMs);
      case 'promotion-refused':
        return promotionRefused(steered, event.data, event.timeMs);
      case 'drift-observed': {
        if (rollout === undefined || steered.rollout === null) return nothing;
        const alarmed = { ...steered, rollout: { ...steered.rollout, drift: event.data.message } };
        return judged(alarmed, rollout, event.timeMs);
      }
    }
  },

  onTimer({ data, timeMs }, state) {
    const steered = state.get<Steered>(stateKeyOf(String(data)));
    const rollout = steered?.settings.traffic?.rollout;
    return steered === undefined || rollout === undefined ? nothing : judged(steered, rollout, timeMs);
  },
};

function configured(
  { deployment, deploymentVersion, settings }: TrafficConfigured,
  before: Steered | undefined,
  timeMs: number,
): Effects {
  if (before !== undefined && deploymentVersion < before.version) return { count: { settingsOfOldVersions: 1 } };
  const weightsVersion = before?.weightsVersion ?? 0;
  const parsed: SteeringSettings = settings === '' ? { routes: [] } : (JSON.parse(settings) as SteeringSettings);
  const steered: Steered = {
    deployment,
    version: deploymentVersion,
    weightsVersion,
    settings: parsed,
    weights: initialWeights(parsed),
    bandit: null,
    rollout: null,
  };
  const { rollout } = parsed.traffic ?? {};
  if (rollout !== undefined) return beginRollout(steered, rollout, timeMs);
  // Without a row the document speaks; the number goes on, should the deployment be steered again.
  const rest = before === undefined ? {} : { emit: [forgotten(deployment)], clearTimers: [timerOf(deployment)] };
  if (!isSteered(parsed) && before === undefined) return nothing;
  return { put: [[stateKeyOf(deployment), steered]], ...rest };
}

function control(
  request: RolloutControlRequested,
  steered: Steered | undefined,
  state: StateView,
  timeMs: number,
): Effects {
  const { deployment, requestId, actor } = request;
  const settings = steered?.settings.traffic?.rollout;
  return decideOnce(
    { subject: deployment, requestId, nameProblem: undefined },
    state,
    () =>
      steered === undefined || settings === undefined
        ? { refused: `deployment '${deployment}' has no rollout` }
        : controlled(steered, settings, request, timeMs),
    (reason) => ({
      topic: 'deployment-events',
      type: 'rollout-refused',
      data: { deployment, requestId, reason, actor },
      key: deployment,
    }),
  );
}
