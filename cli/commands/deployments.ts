import { type DeploymentDocument, type DeploymentRoute, modelsOfRoute } from '../../schemas/deployment-document.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import type { DeploymentVersion } from '../../sdk/client/index.ts';
import { exitCode } from '../exit-codes.ts';
import { configureRollout } from '../rollout-verbs.ts';
import { withPlatform } from '../session.ts';
import { sharesText } from '../ui/shares.ts';
import { dim } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd.command('list').description('what is deployed');
    list.action(async () => {
      const options = optionsOf(list);
      await withPlatform(options, async ({ client }) => {
        const deployments = await client.deployments.list();
        show(options, deployments, (rows) =>
          rows.length === 0
            ? dim('nothing is deployed yet')
            : table(rows, [
                { title: 'DEPLOYMENT', value: ({ deployment }) => deployment },
                { title: 'VERSION', value: ({ version }) => version, align: 'right' },
                { title: 'ROUTES', value: ({ document }) => routesText(document) },
                { title: 'APPLIED', value: ({ appliedAt }) => ago(appliedAt) },
                { title: 'BY', value: ({ actor }) => actor },
              ]),
        );
        next(options, ...deployments.slice(0, 1).map(({ deployment }) => `millrace deployments show ${deployment}`));
      });
    });
    const one = cmd.command('show').description('the document in force').argument('<deployment>');
    one.action(async (deployment: string) => {
      const options = optionsOf(one);
      await withPlatform(options, async ({ client }) =>
        show(options, await client.deployments.show(deployment), (shown) => JSON.stringify(shown, null, 2)),
      );
    });
    const status = cmd
      .command('status')
      .description('whether it can answer, and what stands in the way')
      .argument('<deployment>');
    status.action(async (deployment: string) => {
      const options = optionsOf(status);
      await withPlatform(options, async ({ client }) => {
        const found = await client.deployments.status(deployment);
        show(options, found, ({ version, ready, checks }) =>
          [
            `${deployment} v${version} is ${ready ? 'ready' : 'not ready'}`,
            ...checks.map(({ check, problem }) => (problem === null ? `ok: ${check}` : `NOT OK: ${check}: ${problem}`)),
          ].join('\n'),
        );
        if (!found.ready) process.exitCode = exitCode.failure;
      });
    });
    const history = cmd
      .command('history')
      .description('every version that was in force')
      .argument('<deployment>')
      .option('--at <time>', 'ISO 8601: only what was in force then, with the weights of its routes');
    history.action(async (deployment: string) => {
      const options = optionsOf<{ at?: string }>(history);
      const { at } = options;
      await withPlatform(options, async ({ client }) =>
        show(options, await client.deployments.history(deployment, at === undefined ? {} : { at }), (versions) =>
          table(versions, [
            { title: 'VERSION', value: ({ version }) => version, align: 'right' },
            { title: 'IN FORCE FROM', value: ({ appliedAt }) => new Date(appliedAt).toISOString() },
            { title: 'BY', value: ({ actor }) => actor },
            { title: 'ROUTES', value: ({ document }) => routesText(JSON.parse(document) as DeploymentDocument) },
            // Of a bandit or a rollout what it came to, and why; at a time, of every deployment.
            ...(versions.some(({ weights }) => weights !== undefined)
              ? [{ title: 'SHARES', value: ({ weights = [] }: DeploymentVersion) => sharesText(weights) }]
              : []),
            ...(versions.some(({ reason }) => reason !== undefined)
              ? [{ title: 'WHY', value: ({ reason = '' }: DeploymentVersion) => reason }]
              : []),
          ]),
        ),
      );
    });
    configureRollout(cmd.command('rollout').description('a rollout: how far it is, and moving it by hand'));
    const rollback = cmd
      .command('rollback')
      .description('apply the document of an earlier version again')
      .argument('<deployment>')
      .argument('[version]', 'default: the one before the current');
    rollback.action(async (deployment: string, text: string | undefined) => {
      const options = optionsOf(rollback);
      const restored = wholeNumber('[version]', text);
      await withPlatform(options, async ({ client }) =>
        show(
          options,
          await client.deployments.rollback(deployment, restored),
          ({ version, restored: of }) =>
            `deployment ${deployment} is at version ${version}, which is version ${of} again`,
        ),
      );
    });
    const remove = cmd.command('remove').description('stop serving it').argument('<deployment>');
    remove.action(async (deployment: string) => {
      const options = optionsOf(remove);
      await withPlatform(options, async ({ client }) => {
        await client.deployments.remove(deployment);
        show(options, { deployment, removed: true }, () => `removed ${deployment}`);
      });
    });
  },
};

/** `iris v3`, or of a graph all its models; 'code' when it has none. */
function routesText({ routes }: Pick<DeploymentDocument, 'routes'>): string {
  return routes.map((route) => `${route.name}=${modelsText(route)} (${route.weight})`).join(', ');
}

function modelsText(route: DeploymentRoute): string {
  const models = modelsOfRoute(route).map(({ model: { model, modelVersion } }) => `${model} v${modelVersion}`);
  return models.length === 0 ? 'code' : models.join(' + ');
}
