import { jsonObject } from '../arguments.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { drawHypothetical } from './triggers.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<name>', 'what flows wait for')
      .argument('[payload]', 'JSON object', '{}')
      .option('--data <json>', 'the payload')
      .option('--id <id>', 'a repeat with the same id starts nothing')
      .option('--dry-run', 'tell what it would do, and send nothing')
      .action(async (name: string, argument: string) => {
        const options = optionsOf<{ id?: string; data?: string; dryRun?: boolean }>(cmd);
        const payload = options.data ?? argument;
        await withPlatform(options, async ({ client }) => {
          if (options.dryRun === true) {
            show(options, await client.tryTrigger(name, jsonObject(payload)), drawHypothetical);
            return;
          }
          const answer = await client.trigger(
            name,
            jsonObject(payload),
            options.id === undefined ? {} : { id: options.id },
          );
          show(options, answer, ({ triggerId }) => `triggered ${name} as ${triggerId}`);
          next(options, `millrace triggers explain ${answer.triggerId}`, 'millrace runs list');
        });
      }),
};
