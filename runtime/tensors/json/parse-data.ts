/** The values of a tensor in an infer request: flat or nested JSON to the typed array of its datatype. */
import { tensorError } from '../tensor-errors.ts';
import type { Datatype, TensorData } from '../../ports/index.ts';
import { halfOfFloat } from '../half-float.ts';
import { shown } from './tensor-fields.ts';

interface Described {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export function parseData(tensor: Described, data: readonly unknown[]): TensorData {
  let elements = 1;
  for (const size of tensor.shape) elements *= size;
  const flat = data.length > 0 && Array.isArray(data[0]) ? flattened(tensor, data, elements) : data;
  if (flat.length !== elements) {
    throw tensorError(
      tensor.name,
      `shape [${tensor.shape.join(', ')}] needs ${elements} values, 'data' has ${flat.length}`,
    );
  }
  return readers[tensor.datatype](tensor, flat);
}

/** Nested lists must have exactly the lengths that the shape says, so that a row cut short is not filled up by the next one. */
function flattened({ name, shape }: Described, data: readonly unknown[], elements: number): readonly unknown[] {
  const flat: unknown[] = [];
  const take = (list: unknown, axis: number): void => {
    if (!Array.isArray(list) || list.length !== shape[axis]) {
      const got = Array.isArray(list) ? `a list of ${list.length}` : shown(list);
      const place = flat.length >= elements ? 'after the last value' : `at value ${flat.length}`;
      const wanted = axis < shape.length ? `a list of ${shape[axis]} at depth ${axis + 1}` : 'no further list';
      throw tensorError(
        name,
        `'data' does not follow shape [${shape.join(', ')}]: expected ${wanted} ${place}, got ${got}`,
      );
    }
    if (axis === shape.length - 1) for (const value of list) flat.push(value);
    else for (const inner of list) take(inner, axis + 1);
  };
  take(data, 0);
  return flat;
}

type Reader = (tensor: Described, values: readonly unknown[]) => TensorData;

const float32Max = 3.4028235677973366e38;

const readers: Readonly<Record<Datatype, Reader>> = {
  BOOL: (tensor, values) =>
    values.map((value, index) => {
      if (value === true || value === 1) return true;
      if (value === false || value === 0) return false;
      throw wrong(tensor, index, 'true or false', value);
    }),
  BYTES: (tensor, values) => {
    for (let index = 0; index < values.length; index++) {
      if (typeof values[index] !== 'string') throw wrong(tensor, index, 'a text', values[index]);
    }
    return values as readonly string[];
  },
  FP16: (tensor, values) => {
    const data = new Uint16Array(values.length);
    for (let i = 0; i < data.length; i++) data[i] = halfOfFloat(float(tensor, i, values[i], 65_520));
    return data;
  },
  FP32: (tensor, values) => {
    const data = new Float32Array(values.length);
    for (let i = 0; i < data.length; i++) data[i] = float(tensor, i, values[i], float32Max);
    return data;
  },
  FP64: (tensor, values) => {
    const data = new Float64Array(values.length);
    for (let i = 0; i < data.length; i++) data[i] = float(tensor, i, values[i], Number.POSITIVE_INFINITY);
    return data;
  },
  INT8: integers((n) => new Int8Array(n), -(2 ** 7), 2 ** 7 - 1),
  INT16: integers((n) => new Int16Array(n), -(2 ** 15), 2 ** 15 - 1),
  INT32: integers((n) => new Int32Array(n), -(2 ** 31), 2 ** 31 - 1),
  UINT8: integers((n) => new Uint8Array(n), 0, 2 ** 8 - 1),
  UINT16: integers((n) => new Uint16Array(n), 0, 2 ** 16 - 1),
  UINT32: integers((n) => new Uint32Array(n), 0, 2 ** 32 - 1),
  INT64: bigIntegers((n) => new BigInt64Array(n), -(2n ** 63n), 2n ** 63n - 1n),
  UINT64: bigIntegers((n) => new BigUint64Array(n), 0n, 2n ** 64n - 1n),
};

/** `overflow`: the least magnitude that the datatype rounds to infinity. */
function float(tensor: Described, index: number, value: unknown, overflow: number): number {
  if (typeof value === 'number') {
    // Parsed JSON holds an infinity when its text overflowed a double.
    if (Number.isFinite(value) && Math.abs(value) < overflow) return value;
  } else if (value === 'NaN') return Number.NaN;
  else if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  else if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  const got = value === null ? 'null; a missing value is "NaN" if the model knows such' : value;
  throw wrong(tensor, index, `a number that ${tensor.datatype} holds, or "NaN", "Infinity", "-Infinity"`, got);
}

function integers(
  create: (length: number) => Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array,
  min: number,
  max: number,
): Reader {
  return (tensor, values) => {
    const data = create(values.length);
    for (let index = 0; index < data.length; index++) {
      const value = values[index];
      if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
        throw wrong(tensor, index, `a whole number from ${min} to ${max} (${tensor.datatype})`, value);
      }
      data[index] = value;
    }
    return data;
  };
}

function bigIntegers(create: (length: number) => BigInt64Array | BigUint64Array, min: bigint, max: bigint): Reader {
  return (tensor, values) => {
    const data = create(values.length);
    for (let index = 0; index < data.length; index++) {
      const exact = bigIntOf(values[index]);
      if (exact === undefined || exact < min || exact > max) {
        const exactly = 'beyond 9007199254740991 as decimal text';
        throw wrong(
          tensor,
          index,
          `a whole number from ${min} to ${max} (${tensor.datatype}), ${exactly}`,
          values[index],
        );
      }
      data[index] = exact;
    }
    return data;
  };
}

function bigIntOf(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

function wrong({ name }: Described, index: number, expected: string, got: unknown): Error {
  const text = typeof got === 'string' && got.startsWith('null;') ? got : numberText(got);
  return tensorError(name, `value ${index} must be ${expected}, got ${text}`);
}

function numberText(value: unknown): string {
  return typeof value === 'number' ? String(value) : shown(value);
}
