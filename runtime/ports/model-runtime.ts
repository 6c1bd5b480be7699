/**
 * ModelRuntime: loads model files and runs them on tensors.
 *
 * Contract
 * - `load` gets the whole file as bytes (never a path) and refuses with MODEL_REFUSED, in bounded time and memory, what is corrupt,
 *   names external data, uses custom operators, or declares absurd shapes; the message names the reason.
 * - `run` validates names, datatypes and shapes against the signature before the runtime sees them: INVALID_ARGUMENT names the
 *   tensor, what was expected and what came. Rows of a batch do not influence each other unless `signature.batch` is 'none'.
 * - A load that takes long says what it does to `progress`, in a few words each time.
 * - Runs of one session may overlap. `close` waits for those under way; it is idempotent.
 */
export interface ModelRuntime {
  load(bytes: Uint8Array, progress?: (doing: string) => void): Promise<LoadedModel>;
}

export interface LoadedModel {
  readonly signature: ModelSignature;
  /** As the Open Inference Protocol has it: `<project>_<format>`. @default 'millrace_model' */
  readonly platform?: string | undefined;
  /** Calls at once from which it gains. @default 1 */
  readonly callsMax?: number;
  run(inputs: readonly Tensor[]): Promise<readonly Tensor[]>;
  close(): Promise<void>;
}

/** Datatypes of the Open Inference Protocol v2. */
export const datatypes = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
] as const;
export type Datatype = (typeof datatypes)[number];

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[]
  | readonly boolean[];

/** Row-major. FP16 data is Uint16Array of IEEE half bits. BYTES data is an array of strings. */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** Each at least 0; the product is the number of elements. */
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 is a size that is not fixed. */
  readonly shape: readonly number[];
}

export interface ModelSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** 'dynamic': the first dimension is the batch; a number: it is fixed at that; 'none': rows cannot be put together. */
  readonly batch: 'dynamic' | 'none' | number;
}
