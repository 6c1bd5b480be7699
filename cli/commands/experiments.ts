import type { Experiment, ViewType } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { runTable } from '../tracking/run-table.ts';
import { dim } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('newest first; runs of the flow x are those of the experiment flows/x')
      .option('--filter <filter>', "such as \"name LIKE 'wine%' AND tags.team = 'a'\"")
      .option('--deleted', 'those that were deleted');
    list.action(async () => {
      const options = optionsOf<{ filter?: string; deleted?: true }>(list);
      const view: ViewType = options.deleted === true ? 'DELETED_ONLY' : 'ACTIVE_ONLY';
      const filter = options.filter === undefined ? {} : { filter: options.filter };
      await withPlatform(options, async ({ client }) => {
        show(options, await client.tracking.experiments({ view, ...filter }), experimentTable);
      });
    });

    const one = cmd
      .command('show')
      .description('an experiment with its newest runs')
      .argument('<name-or-id>')
      .option('--limit <n>', 'at most so many runs', '20');
    one.action(async (nameOrId: string) => {
      const options = optionsOf<{ limit: string }>(one);
      await withPlatform(options, async ({ client }) => {
        const experiment = await client.tracking.experiment(nameOrId);
        const limit = wholeNumber('--limit', options.limit);
        const { runs } = await client.tracking.search({ experiments: [experiment.experimentId], limit });
        show(options, { ...experiment, runs }, () =>
          [
            `experiment ${experiment.name} (${experiment.experimentId}), ${experiment.lifecycle}`,
            ...Object.entries(experiment.tags).map(([key, value]) => dim(`${key}: ${value}`)),
            runTable(runs),
          ].join('\n'),
        );
        if (runs.length > 1)
          next(
            options,
            `millrace compare ${runs
              .slice(0, 3)
              .map(({ runId }) => runId)
              .join(' ')}`,
          );
      });
    });

    const create = cmd
      .command('create')
      .description('a new one; its name is given once')
      .argument('<name>')
      .option('--tag <key=value>', 'repeatable', collect, []);
    create.action(async (name: string) => {
      const options = optionsOf<{ tag: readonly string[] }>(create);
      await withPlatform(options, async ({ client }) => {
        const tags = Object.fromEntries(options.tag.map(pairOf));
        const { experimentId } = await client.tracking.createExperiment(name, tags);
        show(options, { experimentId, name }, () => `experiment ${name} is ${experimentId}`);
      });
    });

    const rename = cmd
      .command('rename')
      .description('gives it another name; its id stays')
      .argument('<name-or-id>')
      .argument('<new-name>');
    rename.action(async (nameOrId: string, name: string) => {
      const options = optionsOf(rename);
      await withPlatform(options, async ({ client }) => {
        const { experimentId } = await client.tracking.experiment(nameOrId);
        await client.tracking.renameExperiment(experimentId, name);
        show(options, { experimentId, name }, () => `experiment ${experimentId} is now ${name}`);
      });
    });

    for (const [verb, summary] of [
      ['delete', 'hides it with its runs; `restore` brings them back'],
      ['restore', 'brings back one that was deleted'],
    ] as const) {
      const changing = cmd.command(verb).description(summary).argument('<name-or-id>');
      changing.action(async (nameOrId: string) => {
        const options = optionsOf(changing);
        await withPlatform(options, async ({ client }) => {
          const { experimentId, name } = await client.tracking.experiment(nameOrId);
          if (verb === 'delete') await client.tracking.deleteExperiment(experimentId);
          else await client.tracking.restoreExperiment(experimentId);
          show(options, { experimentId, name, [`${verb}d`]: true }, () => `experiment ${name} was ${verb}d`);
        });
      });
    }

    const tag = cmd.command('tag').description('sets tags').argument('<name-or-id>').argument('<key=value...>');
    tag.action(async (nameOrId: string, given: readonly string[]) => {
      const options = optionsOf(tag);
      await withPlatform(options, async ({ client }) => {
        const { experimentId } = await client.tracking.experiment(nameOrId);
        for (const [key, value] of given.map(pairOf)) await client.tracking.tagExperiment(experimentId, key, value);
        const { name, tags } = await client.tracking.experiment(experimentId);
        show(options, { experimentId, name, tags }, () =>
          Object.entries(tags)
            .map(([key, value]) => `${key}: ${value}`)
            .join('\n'),
        );
      });
    });
  },
};

function experimentTable(rows: readonly Experiment[]): string {
  if (rows.length === 0) return dim('no experiments');
  return table(rows, [
    { title: 'EXPERIMENT', value: ({ name }) => name },
    { title: 'ID', value: ({ experimentId }) => experimentId },
    { title: 'CREATED', value: ({ createdAt }) => ago(createdAt) },
    {
      title: 'TAGS',
      value: ({ tags }) =>
        Object.entries(tags)
          .map(([key, value]) => `${key}=${value}`)
          .join(', '),
    },
  ]);
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

function pairOf(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}
