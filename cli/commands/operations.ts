import { wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('newest first')
      .option('--object <id>', 'only what was asked for this run, flow, deployment, …')
      .option('--by <actor>', 'only what this actor asked for')
      .option('--limit <n>', 'at most so many', '20');
    list.action(async () => {
      const options = optionsOf<{ object?: string; by?: string; limit: string }>(list);
      const { object, by, limit } = options;
      await withPlatform(options, async ({ client }) => {
        const operations = await client.maintenance.operations({
          limit: wholeNumber('--limit', limit),
          ...(object === undefined ? {} : { object }),
          ...(by === undefined ? {} : { actor: by }),
        });
        show(options, operations, (rows) =>
          rows.length === 0
            ? dim('nobody asked for anything yet')
            : table(rows, [
                { title: 'WHEN', value: ({ at }) => ago(at) },
                { title: 'ACTOR', value: ({ actor }) => actor },
                { title: 'ACTION', value: ({ action }) => action },
                { title: 'OBJECT', value: (row) => row.object },
                { title: 'OUTCOME', value: ({ outcome }) => outcome },
              ]),
        );
      });
    });
  },
};
