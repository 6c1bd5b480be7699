import type { RouteExplanation } from '../../sdk/client/index.ts';
import { type CommandModule, next, optionsOf, print, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { sharesText } from '../ui/shares.ts';
import { table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const one = cmd
      .command('show')
      .description('the weights in force, and what justifies them')
      .argument('<deployment>');
    one.action(async (deployment: string) => {
      const options = optionsOf(one);
      await withPlatform(options, async ({ client }) =>
        show(
          options,
          await client.routing.show(deployment),
          ({ version, weightsVersion, weights, cause, reason, shadows }) =>
            [
              `${deployment} v${version}, weights version ${weightsVersion} by the ${cause}: ${sharesText(weights)}`,
              ...(reason === '' ? [] : [reason]),
              ...shadows.map((row) => `shadow ${row.shadow} of v${row.version}: ${row.answers} ${row.outcome}`),
            ].join('\n'),
        ),
      );
    });
    const explain = cmd
      .command('explain')
      .description('why a prediction took its route: the weights, what justified them, and both computed again')
      .argument('<prediction>');
    explain.action(async (prediction: string) => {
      const options = optionsOf(explain);
      await withPlatform(options, async ({ client }) => {
        const explained = await client.routing.explain(prediction);
        print(options.json === true ? JSON.stringify(explained, null, 2) : explanationText(explained));
        if (!explained.verified) process.exitCode = exitCode.failure;
        next(options, `millrace explain ${prediction}`);
      });
    });
  },
};

function explanationText(explained: RouteExplanation): string {
  const { predictionId, deployment, deploymentVersion, route, routedBy, entity, weightsVersion, weights } = explained;
  const { cause, reason, decidedAt, at, evidence, checks, shadows } = explained;
  const when = decidedAt === null ? '' : `, ${new Date(decidedAt).toISOString()}, ${at ?? ''}`;
  const rows = table(evidence, [
    { title: 'ROUTE', value: (row) => row.route },
    { title: 'REQUESTS', value: ({ requests }) => requests, align: 'right' },
    { title: 'FAILED', value: ({ failures }) => failures, align: 'right' },
    { title: 'REWARDS', value: ({ rewards }) => Number(rewards.toFixed(2)), align: 'right' },
    { title: 'SUM', value: ({ rewardSum }) => Number(rewardSum.toPrecision(6)), align: 'right' },
  ]);
  return [
    `prediction ${predictionId} of ${deployment} v${deploymentVersion} took route ${route}, by its ${routedBy}${routedBy === 'entity' ? ` '${entity}'` : ''}`,
    `weights version ${weightsVersion} (${cause}${when}): ${sharesText(weights)}`,
    reason,
    ...(evidence.length === 0 ? [] : [rows]),
    ...checks.map(({ check, problem }) => (problem === null ? `ok: ${check}` : `NOT OK: ${check}: ${problem}`)),
    ...shadows.map(({ shadow, mirrored, outcome, message }) =>
      mirrored
        ? `shadow ${shadow}: ${outcome ?? 'nothing recorded'}${message === '' ? '' : `, ${message}`}`
        : `shadow ${shadow}: not mirrored`,
    ),
  ].join('\n');
}
