/**
 * The flow behind `millrace predictions batch`: a file in chunks through a deployment. A chunk is a task, so chunks run side by side, one
 * that fails is tried again, and `millrace resume` goes on with those that have no answers yet.
 */
import { connect, flow } from '../../sdk/index.ts';
import { commonDatatypes, predictRows, type RowResult } from './predict-rows.ts';
import { readTable, tableFormats } from './read-table.ts';
import { resultFile, resultFormats } from './write-results.ts';

export default flow('batch-predictions', { maxWorkers: 8 })
  .parameter('deployment', { type: 'string', required: true, help: 'that answers' })
  .parameter('data', { type: 'file', as: 'bytes', required: true, help: 'rows' })
  .parameter('format', { type: 'enum', values: tableFormats, default: 'csv', help: 'of the data' })
  .parameter('output', { type: 'enum', values: resultFormats, default: 'jsonl', help: 'format of the results' })
  .parameter('chunkRows', { type: 'integer', default: 500, help: 'rows of a task' })
  .step('read', async (_, { parameters }) => {
    const { columns, rows } = await readTable(parameters.data, parameters.format);
    const size = Math.max(1, parameters.chunkRows);
    const chunks = Array.from({ length: Math.ceil(rows.length / size) }, (__, at) => ({
      first: at * size,
      rows: rows.slice(at * size, (at + 1) * size),
    }));
    return { columns, chunks, total: rows.length };
  })
  .foreach(
    'chunks',
    ({ chunks }) => chunks,
    (each) =>
      each.step(
        'predict',
        async ({ item, columns }, { parameters, runId, index, log }) => {
          const client = connect({ url: process.env['MILLRACE_URL'], token: process.env['MILLRACE_TOKEN'] });
          const chunk = { ...item, columns };
          const { results, datatypes } = await predictRows(client, parameters.deployment, chunk, `${runId}-${index}`);
          const failed = results.filter(({ error }) => error !== undefined).length;
          log(`rows ${item.first} to ${item.first + item.rows.length - 1}: ${failed} refused`);
          return { results, datatypes };
        },
        { retry: { times: 5, backoffMs: 500, factor: 2 } },
      ),
  )
  .join('collect', async ({ inputs }, { before, parameters }) => {
    const results = inputs.flatMap((input): readonly RowResult[] => input.results);
    const failed = results.filter(({ error }) => error !== undefined).length;
    return {
      predictions: await resultFile(results, parameters.output, commonDatatypes(inputs)),
      summary: { rows: before.total, answered: results.length - failed, refused: failed, chunks: inputs.length },
    };
  });
