import { MillraceError } from '../../runtime/ports/errors.ts';
import { type DeploymentRoute, modelsOfRoute } from '../../schemas/deployment-document.ts';
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
                {
                  title: 'ROUTES',
                  value: ({ document }) =>
                    document.routes.map((route) => `${route.name}=${modelsText(route)} (${route.weight})`).join(', '),
                },
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
            ...(at === undefined
              ? []
              : [{ title: 'SHARES', value: ({ weights = [] }: DeploymentVersion) => sharesText(weights) }]),
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
      if (text !== undefined && !/^[1-9]\d{0,8}$/.test(text)) {
        throw new MillraceError('INVALID_ARGUMENT', `the version must be a whole number from 1, got '${text}'`);
      }
      await withPlatform(options, async ({ client }) =>
        show(
          options,
          await client.deployments.rollback(deployment, text === undefined ? undefined : Number(text)),
          ({ version, restored }) =>
            `deployment ${deployment} is at version ${version}, which is version ${restored} again`,
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
function modelsText(route: DeploymentRoute): string {
  const models = modelsOfRoute(route).map(({ model: { model, modelVersion } }) => `${model} v${modelVersion}`);
  return models.length === 0 ? 'code' : models.join(' + ');
}
