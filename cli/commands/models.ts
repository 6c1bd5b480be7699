import { MillraceError } from '../../runtime/ports/errors.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { modelRuleVerbs } from '../tracking/model-rule-verbs.ts';
import { modelVerbs } from '../tracking/model-verbs.ts';
import { dim } from '../ui/style.ts';
import { table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd.command('list').description('models, or the versions of one').argument('[model]');
    list.action(async (model?: string) => {
      const options = optionsOf(list);
      await withPlatform(options, async ({ client }) => {
        if (model === undefined) {
          show(options, await client.models.list(), (rows) =>
            rows.length === 0
              ? dim('no models are registered yet')
              : table(rows, [
                  { title: 'MODEL', value: (row) => row.model },
                  { title: 'VERSIONS', value: ({ versions }) => versions, align: 'right' },
                  {
                    title: 'ALIASES',
                    value: ({ aliases }) =>
                      Object.entries(aliases)
                        .map(([alias, version]) => `${alias}=v${version}`)
                        .join(', '),
                  },
                ]),
          );
          return;
        }
        show(options, await client.models.show(model), ({ versions }) =>
          table(versions, [
            { title: 'VERSION', value: ({ version }) => version, align: 'right' },
            { title: 'ALIASES', value: ({ aliases }) => aliases.join(', ') },
            {
              title: 'METRICS',
              value: ({ metrics }) =>
                Object.entries(metrics)
                  .map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`)
                  .join(', '),
            },
            { title: 'ARTIFACT', value: ({ artifact }) => artifact.hash.slice(0, 12) },
            { title: 'RUN', value: ({ runId }) => runId ?? '' },
            { title: 'BY', value: ({ actor }) => actor },
          ]),
        );
      });
    });
    const alias = cmd
      .command('alias')
      .description('let an alias name a version, or take it away')
      .argument('<model>')
      .argument('<alias>')
      .argument('[version]')
      .option('--remove', 'the alias names nothing any more');
    alias.action(async (model: string, name: string, version: string | undefined) => {
      const options = optionsOf<{ remove?: true }>(alias);
      if ((version === undefined) !== (options.remove === true))
        throw new MillraceError('INVALID_ARGUMENT', 'give the version that the alias is to name, or --remove');
      const number = wholeNumber('[version]', version);
      await withPlatform(options, async ({ client }) => {
        if (number === undefined) {
          await client.registry.removeAlias(model, name);
          show(options, { model, alias: name, removed: true }, () => `models:/${model}@${name} names nothing any more`);
          return;
        }
        await client.models.setAlias(model, name, number);
        show(options, { model, alias: name, version: number }, () => `models:/${model}@${name} is version ${number}`);
      });
    });
    modelVerbs(cmd);
    modelRuleVerbs(cmd);
  },
};
