import { askedMethods } from '../../schemas/explainers.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { attributionText } from '../ui/attribution-plot.ts';
import { dim } from '../ui/style.ts';

interface AttributeOptions {
  readonly method: (typeof askedMethods)[number];
  readonly row: string;
  readonly output?: string;
  readonly target?: string;
}

export const command: CommandModule = {
  configure: (cmd) => {
    const attribute = cmd
      .command('attribute')
      .description('compute why a prediction came out as it did')
      .argument('<id>', 'of the prediction')
      .option('--method <method>', askedMethods.join(', '), 'auto')
      .option('--row <n>', 'of a prediction with several rows', '0')
      .option('--output <column>', 'of the answer, such as probabilities[1]')
      .option('--target <number>', 'of a counterfactual: what the output shall reach');
    attribute.action(async (id: string) => {
      const options = optionsOf<AttributeOptions>(attribute);
      const { method, row, output, target } = options;
      await withPlatform(options, async ({ client }) => {
        const computed = await client.attributions.compute(id, {
          method,
          row: numberOf('--row', row),
          output,
          target: target === undefined ? undefined : numberOf('--target', target),
        });
        show(options, computed, attributionText);
        next(options, `millrace explain ${id}`, `millrace predictions attributions ${id}`);
      });
    });

    const list = cmd
      .command('attributions')
      .description('explanations of a prediction that are there, newest first')
      .argument('<id>', 'of the prediction');
    list.action(async (id: string) => {
      const options = optionsOf(list);
      await withPlatform(options, async ({ client }) =>
        show(options, await client.attributions.list(id), (all) =>
          all.length === 0 ? dim('nobody has asked why yet') : all.map(attributionText).join('\n\n'),
        ),
      );
    });
  },
};

function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new MillraceError('INVALID_ARGUMENT', `${option} must be a number, got '${text.slice(0, 40)}'`);
}
