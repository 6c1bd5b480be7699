import { askedMethods } from '../../schemas/explainers.ts';
import type { ShownPrediction } from '../../sdk/client/index.ts';
import { type BatchOptions, runBatch } from '../run/batch-run.ts';
import { finiteNumber, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { listVerb } from '../request-log.ts';
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
    const one = cmd
      .command('show')
      .description('where a prediction stands, and its answer')
      .argument('<id>', 'of a prediction, or what `predict --async` gave')
      .option('--wait', 'until it is answered');
    one.action(async (id: string) => {
      const options = optionsOf<{ wait?: boolean }>(one);
      await withPlatform(options, async ({ client }) => {
        let shown = await client.prediction(id);
        for (
          let waitMs = 50;
          options.wait === true && shown.status === 'in_queue';
          waitMs = Math.min(2 * waitMs, 1_000)
        ) {
          await new Promise((resolve) => setTimeout(resolve, waitMs));
          shown = await client.prediction(id);
        }
        show(options, shown, predictionText);
        if (shown.status === 'failed') process.exitCode = exitCode.failure;
      });
    });

    listVerb(cmd);

    const batch = cmd
      .command('batch')
      .description('a file through a deployment, in chunks, as a run; `millrace resume` goes on with one that stopped')
      .argument('<deployment>')
      .argument('<data>', 'a file, or <run id>/<artifact>')
      .option('--format <format>', 'csv, jsonl, json, npy, parquet or arrow (default: by the ending of the name)')
      .option('--chunk-rows <n>', 'rows of a task', '500')
      .option('--max-workers <n>', 'tasks that may be under way at once')
      .option('--out <file>', 'also write the results into this file')
      .option(
        '--out-format <format>',
        'of the results: jsonl, csv, parquet or arrow (default: by the ending of --out, else jsonl)',
      );
    batch.action(async (deployment: string, data: string) => {
      const options = optionsOf<BatchOptions>(batch);
      await withPlatform(options, async ({ client }) => await runBatch(client, deployment, data, options));
    });

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
          row: wholeNumber('--row', row, { least: 0 }),
          output,
          target: finiteNumber('--target', target),
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

function predictionText(shown: ShownPrediction): string {
  if (shown.status === 'in_queue') return `in_queue since ${new Date(shown.submittedAt).toISOString()}`;
  if (shown.status === 'failed') return `failed (${shown.error.code}): ${shown.error.message}`;
  const { outputs, parameters } = shown.result;
  const { queueMs, runMs, publishMs } = shown.stages;
  const spent = [`queue ${ms(queueMs)}`, `run ${ms(runMs)}`, `publish ${ms(publishMs)}`].join(', ');
  const { model, model_version: version, route } = parameters;
  return [
    ...outputs.map(({ name, data }) => `${name}: ${data.join(' ')}`),
    `by ${model} v${version} on route ${route}, ${new Date(shown.completedAt).toISOString()}: ${spent}`,
  ].join('\n');
}

const ms = (value: number): string => `${Number(value.toPrecision(3))} ms`;
