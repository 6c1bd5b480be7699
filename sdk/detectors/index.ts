export {
  type FitOptions,
  fitOutlierDetector,
  type OnnxDetectorOptions,
  onnxOutlierDetector,
  type ThresholdOptions,
} from './fit-outlier-detector.ts';
