/** Tensors of the port to those of onnxruntime, and back. */
import { type Datatype, MillraceError, type Tensor, type TensorData } from '../../ports/index.ts';

/** What onnxruntime calls the datatypes. */
export const runtimeTypes: Readonly<Record<Datatype, string>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
};

const datatypesOfRuntime: ReadonlyMap<string, Datatype> = new Map(
  Object.entries(runtimeTypes).map(([datatype, type]) => [type, datatype as Datatype]),
);

/** Checked before: the data is what the datatype asks for. */
export function runtimeData({ datatype, data }: Tensor): unknown {
  return datatype === 'BOOL' ? Uint8Array.from(data as readonly boolean[], Number) : data;
}

export interface RuntimeTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

export function tensorOfRuntime(name: string, { type, dims, data }: RuntimeTensor): Tensor {
  const datatype = datatypesOfRuntime.get(type);
  if (datatype === undefined)
    throw new MillraceError('INTERNAL', `output '${name}' came as ${type}, which no datatype is`);
  return { name, datatype, shape: dims, data: portData(datatype, data) };
}

function portData(datatype: Datatype, data: unknown): TensorData {
  if (datatype === 'BOOL') return Array.from(data as Uint8Array, Boolean);
  // Where the language has half-precision arrays (Node 24), they come as such.
  if (datatype === 'FP16' && !(data instanceof Uint16Array)) {
    const { buffer, byteOffset, length } = data as { buffer: ArrayBuffer; byteOffset: number; length: number };
    return new Uint16Array(buffer, byteOffset, length);
  }
  return data as TensorData;
}
