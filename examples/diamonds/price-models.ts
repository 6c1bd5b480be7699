/**
 * The two rival price models. Both are fitted on log(price): prices span 326 to 18,823 dollars and errors grow with the
 * price, so a model of the plain price would spend itself on the few dear stones, and the linear one would ask money
 * for taking the small ones. Both exported graphs end in Exp: what is served is dollars.
 */
import { encodeLinearRegression, encodeTreeEnsemble } from '../../sdk/onnx/index.ts';
import { type BoostedTreesOptions, fitBoostedTrees, predictBoostedTrees } from './boosted-trees.ts';
import { type ElasticNetOptions, fitElasticNet } from './elastic-net.ts';
import { type Dataset, features, type Matrix } from './features.ts';

export interface PriceModel {
  readonly family: 'elastic-net' | 'boosted-trees';
  /** What the training was asked for, for tracking. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Input `features` float32 [N, 9] in the order of {@link features}, output `price` float32 [N, 1] in dollars. */
  readonly onnx: Uint8Array;
  /** Dollars, one a row, computed here from the same float32 weights as are in the file. */
  readonly predict: (x: Matrix) => Float64Array;
}

/** Fits the linear model: `price = exp(clip(b + w · features))`. */
export function trainElasticNet(train: Dataset, options: Partial<ElasticNetOptions> = {}): PriceModel {
  const parameters = { alpha: 0.001, l1Ratio: 0.5, ...options };
  const logPrices = train.prices.map(Math.log);
  const fit = fitElasticNet(train.x, logPrices, parameters);
  const coefficients = Float32Array.from(fit.coefficients);
  const intercept = Math.fround(fit.intercept);
  // A mistyped length of 59 mm instead of 5.9 would otherwise be answered with a price beyond all money.
  const clip = {
    min: Math.fround(logPrices.reduce((a, b) => Math.min(a, b))),
    max: Math.fround(logPrices.reduce((a, b) => Math.max(a, b))),
  };
  return {
    family: 'elastic-net',
    parameters: { alpha: parameters.alpha, l1Ratio: parameters.l1Ratio },
    onnx: encodeLinearRegression({ coefficients, intercept, clip, ...surface }),
    predict: (x) =>
      Float64Array.from({ length: x.rows }, (_, row) => {
        const score = coefficients.reduce(
          (sum, weight, column) => sum + weight * Math.fround(x.values[row * x.columns + column] ?? 0),
          intercept,
        );
        return Math.exp(Math.min(Math.max(score, clip.min), clip.max));
      }),
  };
}

/** Fits the tree model: `price = exp(base + sum of the trees)`. */
export function trainBoostedTrees(train: Dataset, options: BoostedTreesOptions = {}): PriceModel {
  const parameters = { rounds: 100, maxDepth: 5, learningRate: 0.15, ...options };
  const fit = fitBoostedTrees(train.x, train.prices.map(Math.log), parameters);
  return {
    family: 'boosted-trees',
    parameters,
    onnx: encodeTreeEnsemble({ ...fit, featureCount: features.length, ...surface }),
    predict: (x) => predictBoostedTrees(fit, x).map(Math.exp),
  };
}

const surface = {
  inputName: 'features',
  outputName: 'price',
  targetTransform: 'log',
  metadata: { features: JSON.stringify(features), unit: 'USD' },
} as const;
