/**
 * Rewards as columnar batches for detectors that look at feedback: `residual` (prediction − truth), `wrong` (1: the rule `equal` was not
 * met), `reward`. Only those of deployments that have such detectors.
 */
import { nothing, type Topology } from '../runtime/engine/topology.ts';
import type { RewardRecorded } from '../schemas/events.ts';
import { batchWhatWaits, gatherRows, type PendingRows } from './row-batches.ts';

export const rewardSampling: Topology<'rewards'> = {
  name: 'reward-sampling',
  version: 2,
  input: 'rewards',
  outputs: ['observations'],
  // A row has no state of its own by which a late repeat would be known.
  idWindow: 10_000,
  summary: 'gathers rewards and errors into columnar batches per deployment',

  reads(event) {
    return event.type === 'reward-recorded' && isWatched(event.data) ? { keys: [keyOf(event.data)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'reward-recorded' || !isWatched(event.data)) return nothing;
    const { deployment, deploymentVersion, predictionId, route, windows, online, row: ofRow } = event.data;
    const key = keyOf(event.data);
    const row = [event.offset, predictionId, route, ofRow ?? 0, event.timeMs, feedbackRow(event.data), []] as const;
    const source = {
      stream: 'feedback',
      deployment,
      deploymentVersion,
      window: [0, 0, 0],
      windows,
      online,
      features: feedbackColumns,
      answers: [],
    } as const;
    return gatherRows(key, state.get<PendingRows>(key), [row], source, event);
  },

  onTimer({ name, partition }, state) {
    return batchWhatWaits(name, state.get<PendingRows>(name), partition);
  },
};

export const feedbackColumns = ['residual', 'wrong', 'reward'] as const;

/** NaN: the feedback does not say it. */
export function feedbackRow({ error, reward, rule }: RewardRecorded): readonly number[] {
  const unknown = Number.NaN;
  return [error ?? unknown, rule === 'equal' && reward !== null ? 1 - reward : unknown, reward ?? unknown];
}

function isWatched({ windows, online }: RewardRecorded): boolean {
  return windows.length > 0 || online.length > 0;
}

const keyOf = ({ deployment, deploymentVersion }: RewardRecorded): string => `r/${deployment}/${deploymentVersion}`;
