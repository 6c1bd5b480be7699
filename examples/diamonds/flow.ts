/**
 * The flow of the demo: a trigger `diamonds-arrived` starts it, two families of models are trained side by side, both are registered.
 */
import { flow } from '../../sdk/flow/index.ts';
import type { StepTracking } from '../../sdk/tracking/index.ts';
import { recommendedReferenceRows } from '../../schemas/recommended-monitors.ts';
import { readDiamonds } from './data.ts';
import { evaluate } from './evaluation.ts';
import { buildDataset, type Dataset } from './features.ts';
import { type PriceModel, trainBoostedTrees, trainElasticNet } from './price-models.ts';
import { referenceSample, splitDiamonds } from './split.ts';

export default flow('diamonds')
  .parameter('seed', { type: 'integer', default: 40, help: 'of the split into training, test and streamed rows' })
  .on('diamonds-arrived')
  .step('load', (_, { parameters, log }) => {
    const { train, test } = splitDiamonds(readDiamonds(), { seed: parameters.seed });
    log(`${train.length} rows to train on, ${test.length} to judge by`);
    const columns = referenceSample(train, recommendedReferenceRows, parameters.seed).map(({ feature, values }) => ({
      name: feature.name,
      values: [...values],
    }));
    return { train: buildDataset(train), test: buildDataset(test), reference: { columns } };
  })
  .branch('train', {
    linear: (data, { tracking }) => ({ candidate: judged('linear', trainElasticNet(data.train), data, tracking) }),
    trees: (data, { tracking }) => ({ candidate: judged('trees', trainBoostedTrees(data.train), data, tracking) }),
  })
  .join('choose', ({ linear, trees }) => ({
    ranked: [
      { alias: 'linear', ...linear.candidate },
      { alias: 'trees', ...trees.candidate },
    ].sort((a, b) => a.metrics.rmse - b.metrics.rmse),
  }))
  .step('register', ({ ranked }, { models }) => {
    for (const { alias, family, onnx, metrics } of ranked) {
      models.register('diamonds', {
        onnx,
        metrics,
        alias,
        tags: { family },
        description: `price of a diamond in dollars, ${family}`,
      });
    }
    return { best: ranked[0]?.alias ?? '' };
  });

/**
 * A model with its figures on rows that it has not met, beside those of always answering the mean. They are tracked as well, with parameters and
 * digests of the data, below the model's name.
 */
function judged(
  name: string,
  model: PriceModel,
  { train, test }: { readonly train: Dataset; readonly test: Dataset },
  tracking: StepTracking,
) {
  const { family, parameters, onnx, predict } = model;
  tracking.autolog(model, {
    name,
    train: { x: train.x, y: train.prices, name: 'diamonds-train' },
    test: { x: test.x, y: test.prices, name: 'diamonds-test' },
    outputName: 'price',
  });
  const mean = train.prices.reduce((sum, price) => sum + price, 0) / train.prices.length;
  const { rmse, mae, r2 } = evaluate(predict(test.x), test.prices);
  const baseline = evaluate(
    test.prices,
    Float64Array.from(test.prices, () => mean),
  );
  return { family, parameters, onnx, metrics: { rmse, mae, r2, baseline_rmse: baseline.rmse } };
}
