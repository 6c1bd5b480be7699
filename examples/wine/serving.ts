/**
 * From data to everything that is asked of a model: one flow trains it, deploys it, and asks it in the three ways that applications do: at
 * once, later, and for a whole table. Deploying is one call that names the model by its alias; nothing is packed, and no credentials are
 * in the flow. Where the platform asks for a token, the token of a step reads and asks, and may not deploy: there the step `deploy` is
 * left to `millrace deploy`.
 */
import { connect, deployment, encodeLinearRegression, flow, type RowMatrix } from '../../sdk/index.ts';
import { fitElasticNet } from '../diamonds/elastic-net.ts';
import { parseWines, selectWines } from './data.ts';
import { splitLikeNumpy } from './split.ts';

const name = 'wine-quality';
/** Every step finds the gateway of its platform here, with a token of its run. */
const platform = () => connect({ url: process.env['MILLRACE_URL'], token: process.env['MILLRACE_TOKEN'] });

export default flow('wine-serving')
  .parameter('wines', { type: 'file', as: 'text', default: 'wine-quality.csv', help: 'measurements and quality' })
  .parameter('alpha', { type: 'number', default: 0.1, help: 'strength of the penalty' })
  .step('train', (_, { parameters, models, tracking }) => {
    const data = parseWines(parameters.wines);
    const split = splitLikeNumpy(data.x.rows, 40);
    const [train, test] = [selectWines(data, split.train), selectWines(data, split.test)];
    const options = { alpha: parameters.alpha, l1Ratio: 0.1, standardize: false };
    const { coefficients, intercept } = fitElasticNet(train.x, train.quality, options);
    const onnx = encodeLinearRegression({ coefficients, intercept, outputName: 'quality' });
    // One call: parameters, quality on both parts of the data, their digests, and the model as a folder of the run.
    tracking.autolog(
      { family: 'elastic-net', parameters: options, onnx, predict: (x) => linear(x, coefficients, intercept) },
      {
        train: { x: train.x, y: train.quality, name: 'wine-train' },
        test: { x: test.x, y: test.quality, name: 'wine-test' },
        outputName: 'quality',
      },
    );
    models.register(name, { onnx, alias: 'champion', description: 'quality of a wine by its measurements' });
    const rows = Array.from({ length: test.x.rows }, (__, row) => [
      ...test.x.values.subarray(row * test.x.columns, (row + 1) * test.x.columns),
    ]);
    return { columns: data.columns, rows, quality: [...test.quality] };
  })
  .step(
    'deploy',
    async ({ columns }) => {
      const wanted = deployment(name).route('main', `models:/${name}@champion`).features(columns).output('quality');
      const { version } = await platform().deploy(wanted);
      return { version };
    },
    // The model is registered once the step before it is accepted, which another process decides.
    { retry: { times: 10, backoffMs: 200 } },
  )
  .step('ask', async ({ rows, version }) => {
    const [first = [], second = []] = rows;
    const { predictionId, outputs } = await platform().predict(name, { rows: [first] }, { versionMin: version });
    return { realtime: { predictionId, quality: outputs[0]?.data[0] }, second };
  })
  .step('ask-later', async ({ second }, { idempotencyKey }) => {
    const client = platform();
    const { id } = await client.submit(name, { rows: [second] }, { id: idempotencyKey });
    for (;;) {
      const shown = await client.prediction(id);
      if (shown.status === 'completed') return { later: { id, quality: shown.result.outputs[0]?.data[0] } };
      if (shown.status === 'failed') throw new Error(`prediction ${id} failed: ${shown.error.message}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })
  .foreach(
    'table',
    ({ rows, quality }) => chunksOf(rows, quality, 500),
    (each) =>
      each.step(
        'predict',
        async ({ item }, { idempotencyKey }) => {
          const { outputs } = await platform().predict(name, { rows: item.rows }, { id: idempotencyKey });
          const answers = (outputs[0]?.data ?? []) as readonly number[];
          return { squares: item.quality.map((truth, at) => (truth - (answers[at] ?? Number.NaN)) ** 2) };
        },
        { retry: 3 },
      ),
  )
  .join('judge', ({ inputs }, { before }) => {
    const squares = inputs.flatMap((input): readonly number[] => input.squares);
    const rmse = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
    return { rmse, predicted: squares.length, realtime: before.realtime, later: before.later };
  });

function linear(x: RowMatrix, weights: Float64Array, intercept: number): Float64Array {
  return Float64Array.from({ length: x.rows }, (_, row) =>
    weights.reduce((sum, weight, column) => sum + weight * (x.values[row * x.columns + column] ?? 0), intercept),
  );
}

interface Chunk {
  readonly rows: readonly (readonly number[])[];
  readonly quality: readonly number[];
}

function chunksOf(rows: Chunk['rows'], quality: Chunk['quality'], size: number): Chunk[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, at) => ({
    rows: rows.slice(at * size, (at + 1) * size),
    quality: quality.slice(at * size, (at + 1) * size),
  }));
}
