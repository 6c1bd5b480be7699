/**
 * Makes rewards by the function of a deployment: each `reward-due` becomes one `reward-recorded`, with the reward, or without one and with
 * a `reward-failed` that says why. Ids follow from the feedback and its row, so a reward that is made twice is one.
 */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../runtime/engine/service.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { RewardFunction } from '../../schemas/deployment-document.ts';
import type { RewardDue } from '../../schemas/events.ts';
import { RewardCode, type Rewarded } from './reward-code.ts';

export interface RewardScorer {
  /** For `runtime.runService`. */
  readonly service: Service<'rewards'>;
  close(): Promise<void>;
}

export function createRewardScorer(runtime: Runtime): RewardScorer {
  const code = new RewardCode(runtime.parts.blobs);
  return {
    service: {
      name: 'reward-scorer',
      inputs: ['rewards'],
      outputs: ['rewards', 'route-evidence'],
      summary: 'makes rewards by the functions of deployments, in worker threads',
      batchRecords: 200,
      async handle(batch) {
        const due = batch.flatMap(({ event }) => (event?.type === 'reward-due' ? [event.data] : []));
        const outcomes = new Map<RewardDue, Rewarded>();
        const groups = new Map<string, RewardDue[]>();
        for (const one of due) groups.set(one.function, [...(groups.get(one.function) ?? []), one]);
        await Promise.all(
          [...groups].map(async ([how, cases]) => {
            const made = await code.run(JSON.parse(how) as RewardFunction, cases);
            cases.forEach((one, index) => outcomes.set(one, made[index] ?? { code: 'INTERNAL', reason: 'no answer' }));
          }),
        );
        // in the order in which they were due
        const outputs = due.flatMap((one) => said(one, outcomes.get(one) ?? { code: 'INTERNAL', reason: 'no answer' }));
        const failed = outputs.filter(({ type }) => type === 'reward-failed').length;
        return { outputs, count: { rewardsMade: due.length - failed, rewardsFailed: failed } };
      },
    },
    close: () => code.close(),
  };
}

function said(due: RewardDue, outcome: Rewarded): readonly IdentifiedOutput[] {
  const { steered, shadow, function: _, ...joined } = due;
  const { deployment, deploymentVersion, predictionId, feedbackId, route, rule, row } = due;
  const reward = 'reward' in outcome ? outcome.reward : null;
  const id = (what: string): string =>
    derivedId(0, what, deployment, predictionId, feedbackId, ...(row === null ? [] : [row]));
  const observed = (earned: number): IdentifiedOutput => ({
    ...{ topic: 'route-evidence', type: 'reward-observed', key: deployment },
    data: { deployment, deploymentVersion, predictionId, route, reward: earned, rule, shadow, row },
    id: id(shadow ? `shadow-reward-observed/${route}` : 'reward-observed'),
  });
  if (shadow) return reward === null ? [] : [observed(reward)];
  const recorded: IdentifiedOutput = {
    ...{ topic: 'rewards', type: 'reward-recorded', key: deployment, id: id('reward') },
    data: { ...joined, reward },
  };
  if (!('reward' in outcome)) {
    const about = { deployment, deploymentVersion, predictionId, feedbackId, route, row };
    const { code, reason } = outcome;
    const data = { ...about, code, reason };
    return [recorded, { topic: 'rewards', type: 'reward-failed', key: deployment, data, id: id('reward-failed') }];
  }
  return steered ? [recorded, observed(outcome.reward)] : [recorded];
}
