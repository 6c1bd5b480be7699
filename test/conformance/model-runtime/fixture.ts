import type { LoadedModel, Tensor } from '../../../runtime/ports/index.ts';

/** The models that a runtime brings to the suite. Each does what its comment says, rows apart from each other. */
export const modelNames = [
  /** a, b FP32 [-1, 3] to sum, difference FP32 [-1, 3], a_greater BOOL [-1, 3], total FP32 [-1]: the sum of a's row. */
  'two-in-four-out',
  /** x INT64 [-1, 4], doubled. */
  'dtype-int64',
  /** x FP16 [-1, 4], halved. */
  'dtype-float16',
  /** x BOOL [-1, 3]: y its opposite; n INT64, 1 for true. */
  'dtype-bool',
  /** x BYTES [-1], as it is. */
  'dtype-string-echo',
  /** x FP32 [-1], divided by zero. */
  'gives-nan-and-infinity',
  /** x FP32 [], doubled. */
  'scalar-rank-0',
  /** x FP32 [4, 5] to y FP32 [4, 2], anything. */
  'fixed-batch-4',
] as const;
export type ModelName = (typeof modelNames)[number];

export interface ModelRuntimeFixture {
  load(name: ModelName): Promise<LoadedModel>;
  /** The same model, which other cases use too and nobody closes: where loading one takes seconds. @default each case loads its own */
  borrow?(name: ModelName): Promise<LoadedModel>;
  /** Loads a file that must be refused; what is wrong with it is in `refusedFiles`. */
  loadRefused(file: Uint8Array): Promise<LoadedModel>;
  /** Files that must be refused, by what is wrong with them; the message must match. */
  readonly refusedFiles: readonly { readonly bytes: Uint8Array; readonly says: RegExp }[];
}

export const floats = (name: string, shape: readonly number[], ...values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});

/** Inputs of `two-in-four-out`, and what it answers. */
export const oneRow = [floats('a', [1, 3], 1, -2, 3), floats('b', [1, 3], 0.5, 4, 3)] as const;
export const oneRowAnswer: readonly Tensor[] = [
  floats('sum', [1, 3], 1.5, 2, 6),
  floats('difference', [1, 3], 0.5, -6, 0),
  { name: 'a_greater', datatype: 'BOOL', shape: [1, 3], data: [true, false, false] },
  floats('total', [1], 2),
];
