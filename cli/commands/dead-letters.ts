import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim, green, red } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd.command('list').description('newest first');
    list.action(async () => {
      const options = optionsOf(list);
      await withPlatform(options, async ({ client }) => {
        const letters = await client.maintenance.deadLetters();
        show(options, letters, (rows) =>
          rows.length === 0
            ? green('no dead letters')
            : table(rows, [
                { title: 'ID', value: ({ id }) => id },
                { title: 'WHEN', value: ({ at }) => ago(at) },
                { title: 'CODE', value: ({ code }) => red(code) },
                { title: 'MESSAGE', value: ({ message }) => message.slice(0, 100) },
                { title: 'RECORD', value: ({ topic, partition, offset }) => dim(`${topic}/${partition}@${offset}`) },
              ]),
        );
        next(options, ...letters.slice(0, 1).map(({ id }) => `millrace dead-letters replay ${id}`));
      });
    });
    const replay = cmd.command('replay').description('process a dead record again; it counts once').argument('<id>');
    replay.action(async (id: string) => {
      const options = optionsOf(replay);
      await withPlatform(options, async ({ client }) => {
        show(
          options,
          await client.maintenance.replayDeadLetter(id),
          (letter) => `replayed ${letter.topic}/${letter.partition}@${letter.offset} for ${letter.task}`,
        );
        next(options, 'millrace dead-letters list');
      });
    });
  },
};
