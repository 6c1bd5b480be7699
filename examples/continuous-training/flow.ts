/**
 * Trains a candidate, holds it against what is in production on the same rows that neither has met, and promotes it if it is better:
 * whoever follows `models:/wine-quality@production` serves it from then on.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { card, connect, encodeLinearRegression, flow } from '../../sdk/index.ts';
import { fitElasticNet } from '../diamonds/elastic-net.ts';
import { evaluate } from '../diamonds/evaluation.ts';
import { parseWines, selectWines, type WineData } from '../wine/data.ts';
import { splitLikeNumpy } from '../wine/split.ts';

const model = 'wine-quality';

export default flow('wine-quality')
  .parameter('wines', { type: 'file', required: true, help: 'CSV of the tasted wines' })
  .parameter('alpha', { type: 'number', default: 0.001, help: 'strength of the penalty' })
  .step('load', (_, { parameters }) => {
    const wines = parseWines(parameters.wines);
    const rows = splitLikeNumpy(wines.quality.length, 40);
    return { train: selectWines(wines, rows.train), test: selectWines(wines, rows.test) };
  })
  .step('train', ({ train }, { parameters }) => {
    const { coefficients, intercept } = fitElasticNet(train.x, train.quality, { alpha: parameters.alpha });
    return { onnx: encodeLinearRegression({ coefficients, intercept, outputName: 'quality' }) };
  })
  .step('compare', async ({ onnx, test }) => {
    const { version, served } = await inProduction();
    return {
      candidateRmse: await rmse(onnx, test),
      productionRmse: served === null ? null : await rmse(served, test),
      productionVersion: version,
    };
  })
  .switch(
    'verdict',
    ({ candidateRmse, productionRmse }): 'promote' | 'keep' =>
      productionRmse === null || candidateRmse < productionRmse ? 'promote' : 'keep',
    {
      promote: ({ onnx, candidateRmse }, { models, tags, parameters }) => {
        const metrics = { rmse: candidateRmse };
        models.register(model, { onnx, metrics, alias: 'production', tags: { alpha: String(parameters.alpha) } });
        tags.add('promoted');
        return { told: `promoted: RMSE ${candidateRmse.toFixed(6)}` };
      },
      keep: ({ candidateRmse, productionRmse, productionVersion }, { tags }) => {
        tags.add('kept');
        const against = `version ${productionVersion} has ${productionRmse?.toFixed(6)}`;
        return { told: `kept: RMSE ${candidateRmse.toFixed(6)}, ${against}` };
      },
    },
  )
  .step('tell', ({ told }, { cards, parameters }) => {
    cards.append(card.markdown(`**${told}** with alpha ${parameters.alpha}`));
    return { summary: told };
  });

/** The version that the alias names, and its bytes; null: there is none yet. Every step finds its platform here, with a token that may read. */
async function inProduction(): Promise<{ version: number | null; served: Uint8Array | null }> {
  const millrace = connect({ url: process.env['MILLRACE_URL'], token: process.env['MILLRACE_TOKEN'] });
  const known = (await millrace.models.list()).some(({ model: name }) => name === model);
  const { aliases, versions } = known ? await millrace.models.show(model) : { aliases: {}, versions: [] };
  const version = (aliases as Readonly<Record<string, number>>)['production'] ?? null;
  const hash = versions.find((row) => row.version === version)?.artifact.hash;
  return { version, served: hash === undefined ? null : await millrace.artifacts.bytes(hash) };
}

/** Root mean squared error of a model on wines, by the runtime that serves it. */
async function rmse(onnx: Uint8Array, { x, quality }: WineData): Promise<number> {
  const session = await InferenceSession.create(onnx);
  const [input = ''] = session.inputNames;
  const tensor = new Tensor('float32', Float32Array.from(x.values), [x.rows, x.columns]);
  const [output] = Object.values(await session.run({ [input]: tensor }));
  const answers = Float64Array.from((output?.data ?? []) as Float32Array);
  return evaluate(answers, quality).rmse;
}
