/** The models of `test/models`: what goes in, and what must come out. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Datatype, Tensor } from '../../../runtime/ports/index.ts';
import { floatOfHalf, halfOfFloat } from '../../../runtime/tensors/half-float.ts';

const folder = new URL('../../models/', import.meta.url);

export const modelFile = (name: string): Buffer => readFileSync(new URL(`${name}.onnx`, folder));

interface JsonTensor {
  readonly name: string;
  readonly kind: 'tensor' | 'sequence_of_map';
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string | boolean)[];
}

export interface ModelCase {
  readonly inputs: readonly JsonTensor[];
  readonly outputs?: readonly JsonTensor[];
  readonly error?: string;
}

export interface OutsideModel {
  readonly name: string;
  readonly must: 'run' | 'refuse' | 'run-or-refuse';
  readonly signature?: {
    readonly inputs: readonly (readonly [string, string, readonly (number | string)[]])[];
    readonly outputs: readonly (readonly [string, string, readonly (number | string)[]])[];
  };
  readonly cases?: readonly ModelCase[];
  readonly tolerance?: { readonly abs: number; readonly rel: number };
}

export const outsideModels: readonly OutsideModel[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json') && !file.startsWith('wine') && file !== 'index.json')
  .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as OutsideModel);

export interface WineModel {
  readonly inputs: readonly (readonly number[])[];
  readonly expected_float32: readonly number[];
}
export const wineModel = (name: string): WineModel =>
  JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as WineModel;

const datatypesOf: Readonly<Record<string, Datatype>> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  int32: 'INT32',
  int64: 'INT64',
  bool: 'BOOL',
  string: 'BYTES',
};

/** ONNX's name of a type, such as `tensor(float)`. */
export const datatypeOfType: Readonly<Record<string, Datatype>> = {
  'tensor(float)': 'FP32',
  'tensor(double)': 'FP64',
  'tensor(float16)': 'FP16',
  'tensor(int32)': 'INT32',
  'tensor(int64)': 'INT64',
  'tensor(bool)': 'BOOL',
  'tensor(string)': 'BYTES',
};

export function tensorOf({ name, dtype, shape, data }: JsonTensor): Tensor {
  const datatype = datatypesOf[dtype]!;
  return { name, datatype, shape, data: typed(datatype, data) };
}

function typed(datatype: Datatype, values: JsonTensor['data']): Tensor['data'] {
  switch (datatype) {
    case 'FP32':
      return Float32Array.from(values, Number);
    case 'FP64':
      return Float64Array.from(values, Number);
    case 'FP16':
      return Uint16Array.from(values, (value) => halfOfFloat(Number(value)));
    case 'INT32':
      return Int32Array.from(values, Number);
    case 'INT64':
      return BigInt64Array.from(values, (value) => BigInt(value));
    case 'BOOL':
      return values.map(Boolean);
    default:
      return values.map(String);
  }
}

/** What differs from the expected tensor, or undefined. Labels, texts, integers and booleans must be exact. */
export function difference(
  got: Tensor | undefined,
  expected: JsonTensor,
  { abs, rel }: { readonly abs: number; readonly rel: number },
): string | undefined {
  const wanted = tensorOf(expected);
  if (got === undefined) return 'it is missing';
  if (got.datatype !== wanted.datatype) return `datatype ${got.datatype}, expected ${wanted.datatype}`;
  if (got.shape.join() !== wanted.shape.join()) return `shape [${got.shape.join()}], expected [${wanted.shape.join()}]`;
  if (got.data.length !== wanted.data.length) return `${got.data.length} values, expected ${wanted.data.length}`;
  for (let index = 0; index < wanted.data.length; index++) {
    const [value, right] = [numeric(got, index), numeric(wanted, index)];
    if (Object.is(value, right) || value === right) continue;
    const close =
      typeof value === 'number' && typeof right === 'number' && Math.abs(value - right) <= abs + rel * Math.abs(right);
    if (!close || !Number.isFinite(right)) return `value ${index} is ${String(value)}, expected ${String(right)}`;
  }
  return undefined;
}

function numeric({ datatype, data }: Tensor, index: number): unknown {
  return datatype === 'FP16' ? floatOfHalf(data[index] as number) : data[index];
}
