/** Exports of models trained in TypeScript to ONNX files. */
export { encodeLinearRegression, type LinearRegressionExport } from './linear-regression.ts';
export { encodeOnnxModel } from './onnx-model.ts';
export {
  defaultOperatorSets,
  type OnnxAttribute,
  type OnnxDimension,
  type OnnxElementType,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from './onnx-types.ts';
export type { RegressionExport } from './regression-output.ts';
export { encodeTreeEnsemble, type RegressionTree, type TreeEnsembleExport } from './tree-ensemble.ts';
