import { finiteNumber, perRow, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';

interface Options {
  readonly truth?: string;
  readonly label?: string;
  readonly reward?: string;
  readonly row?: string;
  readonly id?: string;
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .description(
        'tell the truth, or a reward, for a prediction; of several rows a JSON list with one value per row, null where nothing is known, or one value and its --row',
      )
      .argument('<prediction-id>')
      .option('--truth <number>', 'what the number should have been, or a list of one per row')
      .option('--label <text>', 'what the class should have been, or a list of one per row')
      .option('--reward <number>', 'larger is better; or a list of one per row')
      .option('--row <n>', 'the one row that it is about, from 0')
      .option('--id <id>', 'a repeat with the same id counts once')
      .action(async (predictionId: string) => {
        const options = optionsOf<Options>(cmd);
        const { truth, label, reward, row, id } = options;
        const feedback = {
          predictionId,
          truth: perRow<number>('--truth', truth) ?? finiteNumber('--truth', truth),
          label: perRow<string>('--label', label) ?? label,
          reward: perRow<number>('--reward', reward) ?? finiteNumber('--reward', reward),
          row: wholeNumber('--row', row, { least: 0 }),
          id,
        };
        await withPlatform(options, async ({ client }) => {
          show(
            options,
            await client.feedback(feedback),
            ({ feedbackId }) => `feedback ${feedbackId} for ${predictionId}`,
          );
          next(options, `millrace explain ${predictionId}`);
        });
      }),
};
