/** The numbers of `TensorProto.DataType`. */
import type { Datatype } from '../../ports/index.ts';

/** The typed field that may hold the values when `raw_data` does not. */
type Store = 'float_data' | 'int32_data' | 'int64_data' | 'double_data' | 'uint64_data' | 'string_data';

export interface ElementType {
  readonly name: string;
  /** In `raw_data`; 0 for strings, which are never there. */
  readonly bits: number;
  readonly store: Store;
  /** Entries of the typed field per value: 2 for complex numbers, 1/2 for packed nibbles. */
  readonly entries: number;
  /** undefined: no datatype of the Open Inference Protocol. */
  readonly datatype?: Datatype;
}

const type = (name: string, bits: number, store: Store, datatype?: Datatype, entries = 1): ElementType => ({
  name,
  bits,
  store,
  entries,
  ...(datatype === undefined ? {} : { datatype }),
});

export const elementTypes: Readonly<Record<number, ElementType>> = {
  1: type('float', 32, 'float_data', 'FP32'),
  2: type('uint8', 8, 'int32_data', 'UINT8'),
  3: type('int8', 8, 'int32_data', 'INT8'),
  4: type('uint16', 16, 'int32_data', 'UINT16'),
  5: type('int16', 16, 'int32_data', 'INT16'),
  6: type('int32', 32, 'int32_data', 'INT32'),
  7: type('int64', 64, 'int64_data', 'INT64'),
  8: type('string', 0, 'string_data', 'BYTES'),
  9: type('bool', 8, 'int32_data', 'BOOL'),
  10: type('float16', 16, 'int32_data', 'FP16'),
  11: type('double', 64, 'double_data', 'FP64'),
  12: type('uint32', 32, 'uint64_data', 'UINT32'),
  13: type('uint64', 64, 'uint64_data', 'UINT64'),
  14: type('complex64', 64, 'float_data', undefined, 2),
  15: type('complex128', 128, 'double_data', undefined, 2),
  16: type('bfloat16', 16, 'int32_data'),
  17: type('float8e4m3fn', 8, 'int32_data'),
  18: type('float8e4m3fnuz', 8, 'int32_data'),
  19: type('float8e5m2', 8, 'int32_data'),
  20: type('float8e5m2fnuz', 8, 'int32_data'),
  21: type('uint4', 4, 'int32_data', undefined, 1 / 2),
  22: type('int4', 4, 'int32_data', undefined, 1 / 2),
  23: type('float4e2m1', 4, 'int32_data', undefined, 1 / 2),
  24: type('float8e8m0', 8, 'int32_data'),
  25: type('uint2', 2, 'int32_data', undefined, 1 / 4),
  26: type('int2', 2, 'int32_data', undefined, 1 / 4),
};
