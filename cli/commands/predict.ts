import { MillraceError } from '../../runtime/ports/errors.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<deployment>')
      .argument('<rows>', 'JSON: a row of numbers, rows, or {"inputs": [tensors]} of the Open Inference Protocol')
      .option('--entity <entity>', 'predictions of one entity stay in order')
      .option('--id <id>', 'a repeat with the same id gets the stored answer')
      .option('--route <route>', 'take this route, as long as it has traffic')
      .option('--async', 'hand the request in and ask for the answer later')
      .action(async (deployment: string, rows: string) => {
        const options = optionsOf<{ entity?: string; id?: string; route?: string; async?: boolean }>(cmd);
        await withPlatform(options, async ({ client }) => {
          const { entity, id, route: wanted } = options;
          if (options.async === true) {
            const submitted = await client.submit(deployment, inputOf(rows), { entity, id, route: wanted });
            show(options, submitted, ({ status }) => `${status}: ${submitted.id}`);
            next(options, `millrace predictions show ${submitted.id} --wait`);
            return;
          }
          const answer = await client.predict(deployment, inputOf(rows), { entity, id, route: wanted });
          show(options, answer, ({ predictionId, route, model, modelVersion, outputs }) =>
            [
              ...outputs.map(({ name, data }) => `${name}: ${data.flat().join(' ')}`),
              `by ${model} v${modelVersion} on route ${route}, prediction ${predictionId}`,
            ].join('\n'),
          );
          const several = answer.outputs.some(({ shape }) => (shape[0] ?? 1) > 1);
          next(
            options,
            `millrace explain ${answer.predictionId}`,
            `millrace feedback ${answer.predictionId} --truth ${several ? "'[<one number per row>]'" : '<number>'}`,
          );
        });
      }),
};

function inputOf(text: string): { rows: number[][] } | { inputs: never } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', `expected JSON such as '[0.3, 61.5, 55]', got '${text.slice(0, 80)}'`, {
      cause,
    });
  }
  if (Array.isArray(value)) return { rows: (Array.isArray(value[0]) ? value : [value]) as number[][] };
  if (typeof value === 'object' && value !== null && 'inputs' in value) return value as { inputs: never };
  throw new MillraceError('INVALID_ARGUMENT', `expected a row, rows, or {"inputs": […]}, got '${text.slice(0, 80)}'`);
}
