import { encodeOnnxModel } from './onnx-model.ts';
import { type RegressionExport, regressionSurface } from './regression-output.ts';

export interface LinearRegressionExport extends Omit<RegressionExport, 'featureCount'> {
  /** One weight per raw (unscaled) feature; rounded to float32 in the file. */
  readonly coefficients: ArrayLike<number>;
  readonly intercept: number;
}

/**
 * A linear model as ONNX: `Gemm`, then the optional clip and exponential.
 *
 * @example
 * const bytes = encodeLinearRegression({ coefficients: [2, -1], intercept: 0.5, outputName: 'price' });
 */
export function encodeLinearRegression(options: LinearRegressionExport): Uint8Array {
  const featureCount = options.coefficients.length;
  const surface = regressionSurface({ ...options, featureCount });
  return encodeOnnxModel({
    graphName: 'linear-regression',
    nodes: [
      { operator: 'Gemm', inputs: [surface.inputName, 'coefficients', 'intercept'], outputs: [surface.scoreName] },
      ...surface.tail,
    ],
    initializers: [
      { name: 'coefficients', shape: [featureCount, 1], values: Float32Array.from(options.coefficients) },
      { name: 'intercept', shape: [1], values: Float32Array.of(options.intercept) },
      ...surface.tailInitializers,
    ],
    inputs: surface.inputs,
    outputs: surface.outputs,
    ...(options.metadata && { metadata: options.metadata }),
  });
}
