/** `deployments rollout status | advance | promote | rollback | pause | resume`. */
import type { Command } from 'commander';
import type { RolloutAction, ShownRollout } from '../sdk/client/index.ts';
import { next, optionsOf, show } from './command.ts';
import { withPlatform } from './session.ts';
import { table } from './ui/table.ts';

const verbs: readonly (readonly [RolloutAction, string])[] = [
  ['advance', 'go to the next step'],
  ['promote', 'give all of the traffic to the canary'],
  ['rollback', 'give all of the traffic back to the stable route'],
  ['pause', 'stay at this step; criteria still take it back'],
  ['resume', 'go on'],
];

export function configureRollout(cmd: Command): void {
  const status = cmd.command('status').description('how far it is, and what it waits for').argument('<deployment>');
  status.action(async (deployment: string) => {
    const options = optionsOf(status);
    await withPlatform(options, async ({ client }) => {
      const rollout = await client.routing.rollout(deployment);
      show(options, rollout, statusText);
      if (rollout.phase === 'running')
        next(
          options,
          `millrace deployments rollout ${rollout.step < rollout.steps ? 'advance' : 'promote'} ${deployment}`,
          `millrace deployments rollout rollback ${deployment}`,
        );
    });
  });
  for (const [action, description] of verbs) {
    const verb = cmd
      .command(action)
      .description(description)
      .argument('<deployment>')
      .option('--reason <text>', 'for the record');
    verb.action(async (deployment: string) => {
      const options = optionsOf<{ reason?: string }>(verb);
      await withPlatform(options, async ({ client }) =>
        show(options, await client.routing.move(deployment, action, { reason: options.reason }), statusText),
      );
    });
  }
}

function statusText(rollout: ShownRollout): string {
  const { deployment, stable, canary, phase, step, steps, percent, shadowPercent, reason, evidence } = rollout;
  const rows = table(evidence, [
    { title: 'ROUTE', value: ({ route }) => route },
    { title: 'REQUESTS', value: ({ requests }) => requests, align: 'right' },
    { title: 'FAILED', value: ({ failures }) => failures, align: 'right' },
    {
      title: 'LATENCY',
      value: ({ latencyMs }) => (latencyMs === null ? '-' : `${latencyMs.toFixed(2)} ms`),
      align: 'right',
    },
    { title: 'REWARDS', value: ({ rewards }) => rewards, align: 'right' },
    {
      title: 'MEAN',
      value: ({ rewards, rewardSum }) => (rewards > 0 ? (rewardSum / rewards).toPrecision(4) : '-'),
      align: 'right',
    },
  ]);
  const share = shadowPercent > 0 ? `${shadowPercent} % mirrored to ${canary}` : `${percent} % on ${canary}`;
  const where = `rollout of ${deployment} from ${stable} to ${canary}: ${phase}, step ${step} of ${steps}, ${share}`;
  return [where, reason, ...(evidence.length === 0 ? [] : [rows])].join('\n');
}
