import { writeFileSync } from 'node:fs';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { taskTarget, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, print, say, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim, green } from '../ui/style.ts';
import { table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd.command('list').description('cards of the steps of a run').argument('<run>');
    list.action(async (target: string) => {
      const options = optionsOf(list);
      const { runId } = taskTarget(target);
      await withPlatform(options, async ({ client }) => {
        const cards = await client.runs.cards(runId);
        show(options, cards, (rows) =>
          rows.length === 0
            ? dim('no step has left a card')
            : table(rows, [
                { title: 'TASK', value: ({ taskId }) => taskId },
                { title: 'ATTEMPT', value: ({ attempt }) => attempt, align: 'right' },
                { title: 'CARD', value: ({ card }) => card },
                { title: '', value: ({ live }) => (live ? green('live') : '') },
              ]),
        );
        next(options, ...cards.slice(-1).map(({ taskId }) => `millrace cards get ${runId}/${taskId} --out card.html`));
      });
    });
    const get = cmd
      .command('get')
      .description('a card as one HTML page; with --json its document')
      .argument('<run>/<task>')
      .option('--card <name>', 'which one (default: the last)')
      .option('--attempt <n>', 'of this attempt (default: the last)')
      .option('--out <file>', 'into a file (default: to standard output)');
    get.action(async (target: string) => {
      const options = optionsOf<{ card?: string; attempt?: string; out?: string }>(get);
      const { runId, of } = taskTarget(target);
      if (of === undefined) throw new MillraceError('INVALID_ARGUMENT', 'which task? millrace cards get <run>/<task>');
      await withPlatform(options, async ({ client }) => {
        const { card, attempt } = options;
        const text = await client.runs.card(runId, of, {
          card,
          attempt: wholeNumber('--attempt', attempt)?.toString(),
          format: options.json === true ? 'json' : 'html',
        });
        if (options.out === undefined) print(text);
        else {
          writeFileSync(options.out, text);
          say(`the card is in ${options.out}`);
        }
      });
    });
  },
};
