import { finiteNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<prediction-id>')
      .option('--truth <number>', 'what the number should have been')
      .option('--label <text>', 'what the class should have been')
      .option('--reward <number>', 'larger is better')
      .option('--id <id>', 'a repeat with the same id counts once')
      .action(async (predictionId: string) => {
        const options = optionsOf<{ truth?: string; label?: string; reward?: string; id?: string }>(cmd);
        const { label, id } = options;
        const feedback = {
          predictionId,
          truth: finiteNumber('--truth', options.truth),
          label,
          reward: finiteNumber('--reward', options.reward),
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
