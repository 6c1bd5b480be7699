/**
 * Trains how long deliveries take: the first time on the archive, and whenever drift of the deployment `delivery-time` raises an alert, on
 * what was asked since the drift began and has turned out since. What it registers is a challenger; whether it is better is measured.
 */
import { connect, encodeLinearRegression, fitOutlierDetector, flow } from '../../sdk/index.ts';
import { fitElasticNet } from '../diamonds/elastic-net.ts';
import { type Delivery, deliveries, deliveryFeatures, take } from './deliveries.ts';
import { labelledDeliveries } from './labelled.ts';

export const model = 'delivery-time';

export default flow('delivery-time', { concurrency: { max: 1, overflow: 'skip' } })
  .parameter('finding', { type: 'string', default: '', help: 'drift finding that is the reason' })
  .parameter('rows', { type: 'integer', default: 150 })
  .parameter('alpha', { type: 'number', default: 0.001, help: 'strength of the penalty' })
  .onAlert(model, { detector: 'tabular-drift', parameters: { finding: 'evidenceId' } })
  .step(
    'load',
    async (_, { parameters: { finding, rows } }) => {
      if (finding === '') return { known: take(deliveries({ bridge: 'open', seed: 1 }), 1_000) };
      // Every step finds the gateway of its platform here, with a token of its run, which may read.
      const client = connect({ url: process.env['MILLRACE_URL'], token: process.env['MILLRACE_TOKEN'] });
      const { finding: drift } = await client.drift.show(finding);
      return { known: await labelledDeliveries(client, { deployment: model, sinceMs: drift.openedAt, rows }) };
    },
    { timeoutMs: 120_000 },
  )
  .step('train', ({ known }, { parameters: { alpha, finding }, models, tags }) => {
    const test = known.filter((__, at) => at % 4 === 0);
    const train = known.filter((__, at) => at % 4 !== 0);
    const columns = deliveryFeatures.length;
    const values = Float64Array.from(train.flatMap(({ row }) => [...row]));
    const truth = Float64Array.from(train, ({ minutes }) => minutes);
    const { coefficients, intercept } = fitElasticNet({ values, rows: train.length, columns }, truth, { alpha });
    const predict = ({ row }: Delivery): number =>
      row.reduce((sum, value, at) => sum + value * (coefficients[at] ?? 0), intercept);
    const squares = test.map((one) => (one.minutes - predict(one)) ** 2);
    const rmse = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
    const sample = { columns: deliveryFeatures.map((name, at) => ({ name, values: columnOf(train, at) })) };
    models.register(model, {
      onnx: encodeLinearRegression({ coefficients, intercept, outputName: 'minutes' }),
      metrics: { rmse },
      alias: 'challenger',
      // What drift and outliers are judged by from then on belongs to the model, and is deployed with it.
      attached: { sample, strange: fitOutlierDetector(sample, { method: 'mahalanobis', falsePositiveRate: 0.005 }) },
      description: finding === '' ? 'trained on the archive' : `trained because of drift finding ${finding}`,
    });
    tags.add(finding === '' ? 'first' : 'retrained');
    return { rmse, rows: train.length };
  });

const columnOf = (rows: readonly Delivery[], at: number): readonly number[] => rows.map(({ row }) => row[at] ?? 0);
