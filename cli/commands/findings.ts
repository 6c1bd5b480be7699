import { wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim, yellow } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('newest first')
      .option('--deployment <name>', 'only of this deployment')
      .option('--kind <kind>', 'drift, outliers, experiment, quality or alert')
      .option('--limit <n>', 'at most so many', '20');
    list.action(async () => {
      const options = optionsOf<{ deployment?: string; kind?: string; limit: string }>(list);
      const { deployment, kind, limit } = options;
      await withPlatform(options, async ({ client }) => {
        const findings = await client.maintenance.findings({
          limit: wholeNumber('--limit', limit),
          ...(deployment === undefined ? {} : { deployment }),
          ...(kind === undefined ? {} : { kind }),
        });
        show(options, findings, (rows) =>
          rows.length === 0
            ? dim('nothing was found yet')
            : table(rows, [
                { title: 'KIND', value: (row) => (row.positive ? yellow(row.kind) : row.kind) },
                { title: 'DEPLOYMENT', value: (row) => row.deployment },
                { title: 'WHEN', value: ({ at }) => ago(at) },
                { title: 'SAYS', value: ({ summary }) => summary },
                { title: 'ID', value: ({ id }) => dim(id) },
              ]),
        );
      });
    });
  },
};
