/** Whether tensors fit a signature; shared by the model runtimes. Errors name the tensor, what was expected and what came. */
import { tensorError } from '../../tensors/tensor-errors.ts';
import { type Datatype, MillraceError, type ModelSignature, type Tensor, type TensorSpec } from '../../ports/index.ts';

export type TensorCheck = (tensors: readonly Tensor[]) => void;

export interface CheckOptions {
  /** Names that are no inputs of the signature, and what to say when one is given. */
  readonly fixed?: ReadonlyMap<string, string>;
}

/** Made once per model: a check of one tensor looks nothing up but its name. Throws INVALID_ARGUMENT. */
export function createInputCheck(signature: ModelSignature, { fixed }: CheckOptions = {}): TensorCheck {
  const specs = new Map(signature.inputs.map((spec) => [spec.name, spec]));
  const rowsAgree = signature.batch !== 'none' && signature.inputs.length > 1;
  return (tensors) => {
    for (let at = 0; at < tensors.length; at++) {
      const tensor = tensors[at] as Tensor;
      const spec = specs.get(tensor.name);
      if (spec === undefined) throw unknownInput(tensor, signature, fixed);
      for (let before = 0; before < at; before++) {
        if (tensors[before]?.name === tensor.name) throw tensorError(tensor.name, 'it is given twice');
      }
      checkTensor(tensor, spec);
      const rows = tensors[0]?.shape[0];
      if (rowsAgree && tensor.shape[0] !== rows) {
        throw tensorError(tensor.name, `it has ${tensor.shape[0]} rows, input '${tensors[0]?.name}' has ${rows}`);
      }
    }
    if (tensors.length !== specs.size) throw missingInput(tensors, signature);
  };
}

/** Datatype, kind of the data, rank, sizes, and number of elements. `of`: 'input' or 'output'. */
export function checkTensor(tensor: Tensor, spec: TensorSpec, of: 'input' | 'output' = 'input'): void {
  const { datatype, shape, data } = tensor;
  if (datatype !== spec.datatype) {
    throw tensorError(tensor.name, `datatype must be ${spec.datatype}, got ${String(datatype)}`, of);
  }
  const expected = spec.shape;
  let fits = shape.length === expected.length;
  let elements = 1;
  for (let axis = 0; axis < shape.length && fits; axis++) {
    const size = shape[axis] as number;
    const wanted = expected[axis] as number;
    fits = Number.isSafeInteger(size) && size >= 0 && (wanted === -1 || wanted === size);
    elements *= size;
  }
  if (!fits)
    throw tensorError(
      tensor.name,
      `shape must be [${expected.join(', ')}] (-1: any size), got [${shape.join(', ')}]`,
      of,
    );
  const Expected = arrays[datatype];
  if (Expected === undefined ? !isListOf(data, datatype) : !(data instanceof Expected)) {
    throw tensorError(tensor.name, `data of ${datatype} must be ${kindName(datatype)}, got ${kindOf(data)}`, of);
  }
  if (data.length !== elements) {
    throw tensorError(tensor.name, `shape [${shape.join(', ')}] needs ${elements} values, got ${data.length}`, of);
  }
}

/** BOOL and BYTES are lists. */
const arrays: Readonly<Partial<Record<Datatype, abstract new (...args: never) => ArrayLike<number | bigint>>>> = {
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

function isListOf(data: unknown, datatype: Datatype): boolean {
  if (!Array.isArray(data)) return false;
  const type = datatype === 'BOOL' ? 'boolean' : 'string';
  return data.every((value) => typeof value === type);
}

function kindName(datatype: Datatype): string {
  return arrays[datatype]?.name ?? (datatype === 'BOOL' ? 'a list of booleans' : 'a list of texts');
}

function kindOf(data: unknown): string {
  if (!Array.isArray(data)) return (data as object | null | undefined)?.constructor.name ?? String(data);
  return `a list of ${[...new Set(data.map((value) => typeof value))].slice(0, 3).join(' and ') || 'nothing'}`;
}

function unknownInput(tensor: Tensor, signature: ModelSignature, fixed?: ReadonlyMap<string, string>): MillraceError {
  const reason = fixed?.get(tensor.name);
  return tensorError(tensor.name, reason ?? `the model has no such input; it has ${described(signature.inputs)}`);
}

function missingInput(tensors: readonly Tensor[], signature: ModelSignature): MillraceError {
  const given = new Set(tensors.map(({ name }) => name));
  const missing = signature.inputs.filter(({ name }) => !given.has(name));
  const names = missing.map(({ name }) => `'${name}'`).join(', ');
  return new MillraceError(
    'INVALID_ARGUMENT',
    `input ${names}: missing; the model has ${described(signature.inputs)}`,
    {
      details: { tensor: missing[0]?.name },
    },
  );
}

function described(specs: readonly TensorSpec[]): string {
  return specs.map(({ name, datatype, shape }) => `'${name}' ${datatype} [${shape.join(', ')}]`).join(', ');
}
