import type { OnnxNode, OnnxTensor, OnnxValueInfo } from './onnx-types.ts';

/** What every exported regression model says about its surface. */
export interface RegressionExport {
  /** Columns of the input. */
  readonly featureCount: number;
  /** Name of the float32 `[N, featureCount]` input. @default 'features' */
  readonly inputName?: string;
  /** Name of the float32 `[N, 1]` output. @default 'prediction' */
  readonly outputName?: string;
  /** Bounds applied to the raw score, before the exponential. @default none */
  readonly clip?: { readonly min: number; readonly max: number };
  /** `'log'` when the model was trained on the logarithm: the graph then ends in an exponential. @default 'none' */
  readonly targetTransform?: 'none' | 'log';
  /** Written as the file's metadata properties. */
  readonly metadata?: Readonly<Record<string, string>>;
}

interface RegressionSurface {
  readonly inputName: string;
  /** Value that the model's own node must write. */
  readonly scoreName: string;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** Nodes after the model's own: Clip, Exp. */
  readonly tail: readonly OnnxNode[];
  readonly tailInitializers: readonly OnnxTensor[];
}

/** The part of a regression graph that is the same whatever the model family: names, shapes and what follows the score. */
export function regressionSurface(options: RegressionExport): RegressionSurface {
  const inputName = options.inputName ?? 'features';
  const outputName = options.outputName ?? 'prediction';
  const steps: { operator: string; constants: readonly string[] }[] = [];
  const tailInitializers: OnnxTensor[] = [];
  if (options.clip) {
    if (!(options.clip.min <= options.clip.max)) {
      throw new RangeError(`clip.min ${options.clip.min} must not exceed clip.max ${options.clip.max}`);
    }
    steps.push({ operator: 'Clip', constants: ['score_min', 'score_max'] });
    tailInitializers.push(
      { name: 'score_min', shape: [], values: Float32Array.of(options.clip.min) },
      { name: 'score_max', shape: [], values: Float32Array.of(options.clip.max) },
    );
  }
  if (options.targetTransform === 'log') steps.push({ operator: 'Exp', constants: [] });

  const valueName = (step: number): string => (step === steps.length ? outputName : `score_${step}`);
  return {
    inputName,
    scoreName: valueName(0),
    inputs: [{ name: inputName, elementType: 'float32', shape: ['N', options.featureCount] }],
    outputs: [{ name: outputName, elementType: 'float32', shape: ['N', 1] }],
    tail: steps.map((step, i) => ({
      operator: step.operator,
      inputs: [valueName(i), ...step.constants],
      outputs: [valueName(i + 1)],
    })),
    tailInitializers,
  };
}
