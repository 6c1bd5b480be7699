/** Tensors as events carry them (a union of arrays) to tensors as models take them (typed arrays), and back. */
import { tensorError } from '../../runtime/tensors/tensor-errors.ts';
import { type Datatype, datatypes, type Tensor, type TensorData } from '../../runtime/ports/index.ts';
import type { Tensor as EventTensor } from '../../schemas/events.ts';
import { floatOfHalf, halfOfFloat } from '../../runtime/tensors/half-float.ts';

/** INVALID_ARGUMENT names the tensor and what is wrong with it. */
export function tensorOfEvent(tensor: EventTensor): Tensor {
  const { name, shape } = tensor;
  const datatype = datatypeOf(tensor);
  const values = valuesOf(tensor);
  const elements = elementsOf(name, shape);
  if (values.length !== elements) {
    throw tensorError(name, `shape [${shape.join(', ')}] needs ${elements} values, got ${values.length}`);
  }
  return { name, datatype, shape, data: typedData(name, datatype, values) };
}

/** 64-bit integers go as longs while all of them are exact as doubles, else as decimal text. */
export function eventOfTensor({ name, datatype, shape, data }: Tensor): EventTensor {
  return { name, datatype, shape, data: eventData(datatype, data) };
}

/** The elements of an event's tensor, whatever their kind. */
export function valuesOf(tensor: EventTensor): EventValues {
  for (const part of Object.values(tensor.data) as { values: EventValues }[]) return part.values;
  throw tensorError(tensor.name, 'it has no data');
}

export type EventValues = readonly number[] | readonly boolean[] | readonly string[];

/** Product of the dimensions; each must be a whole number of at least 0. */
export function elementsOf(name: string, shape: readonly number[]): number {
  let elements = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw tensorError(name, `shape [${shape.join(', ')}] must hold whole numbers of at least 0`);
    }
    elements *= size;
  }
  return elements;
}

function datatypeOf({ name, datatype }: EventTensor): Datatype {
  if ((datatypes as readonly string[]).includes(datatype)) return datatype as Datatype;
  throw tensorError(name, `datatype must be one of ${datatypes.join(', ')}, got '${datatype.slice(0, 40)}'`);
}

interface IntegerKind {
  readonly create: (length: number) => Exclude<TensorData, readonly string[] | readonly boolean[]>;
  readonly min: number;
  readonly max: number;
}

const integers: Partial<Record<Datatype, IntegerKind>> = {
  UINT8: { create: (n) => new Uint8Array(n), min: 0, max: 2 ** 8 - 1 },
  UINT16: { create: (n) => new Uint16Array(n), min: 0, max: 2 ** 16 - 1 },
  UINT32: { create: (n) => new Uint32Array(n), min: 0, max: 2 ** 32 - 1 },
  INT8: { create: (n) => new Int8Array(n), min: -(2 ** 7), max: 2 ** 7 - 1 },
  INT16: { create: (n) => new Int16Array(n), min: -(2 ** 15), max: 2 ** 15 - 1 },
  INT32: { create: (n) => new Int32Array(n), min: -(2 ** 31), max: 2 ** 31 - 1 },
};

function typedData(name: string, datatype: Datatype, values: EventValues): TensorData {
  if (datatype === 'FP32') return new Float32Array(numbers(name, datatype, values));
  if (datatype === 'FP64') return new Float64Array(numbers(name, datatype, values));
  if (datatype === 'FP16') return Uint16Array.from(numbers(name, datatype, values), halfOfFloat);
  if (datatype === 'BYTES') return ofType<string>(name, datatype, values, 'string');
  if (datatype === 'BOOL') return ofType<boolean>(name, datatype, values, 'boolean');
  if (datatype === 'INT64' || datatype === 'UINT64') return bigData(name, datatype, values);
  const kind = integers[datatype];
  if (kind === undefined) throw tensorError(name, `datatype ${datatype} is not supported`);
  const data = kind.create(values.length);
  for (const [index, value] of numbers(name, datatype, values).entries()) {
    if (!Number.isInteger(value) || value < kind.min || value > kind.max) {
      throw tensorError(
        name,
        `value ${index} must be a whole number from ${kind.min} to ${kind.max} (${datatype}), got ${value}`,
      );
    }
    data[index] = value;
  }
  return data;
}

function bigData(name: string, datatype: 'INT64' | 'UINT64', values: EventValues): TensorData {
  const data = datatype === 'INT64' ? new BigInt64Array(values.length) : new BigUint64Array(values.length);
  for (const [index, value] of values.entries()) {
    const exact =
      typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && /^-?\d{1,20}$/.test(value);
    const big = exact ? BigInt(value) : undefined;
    const wrapped =
      big === undefined ? undefined : datatype === 'INT64' ? BigInt.asIntN(64, big) : BigInt.asUintN(64, big);
    if (big === undefined || wrapped !== big) {
      throw tensorError(
        name,
        `value ${index} must be an ${datatype} (beyond 2^53 as decimal text), got ${String(value)}`,
      );
    }
    data[index] = big;
  }
  return data;
}

function numbers(name: string, datatype: Datatype, values: EventValues): readonly number[] {
  return ofType<number>(name, datatype, values, 'number');
}

/** The branch of the union decides the type of all elements, so the first tells. */
function ofType<T>(name: string, datatype: Datatype, values: EventValues, type: string): readonly T[] {
  if (values.length === 0 || typeof values[0] === type) return values as readonly T[];
  throw tensorError(name, `datatype ${datatype} needs values of type ${type}, got ${typeof values[0]}`);
}

function eventData(datatype: Datatype, data: TensorData): EventTensor['data'] {
  switch (datatype) {
    case 'FP32':
      return { 'millrace.common.Floats': { values: plainNumbers(data as Float32Array) } };
    case 'FP64':
      return { 'millrace.common.Doubles': { values: plainNumbers(data as Float64Array) } };
    case 'FP16':
      return { 'millrace.common.Floats': { values: Array.from(data as Uint16Array, floatOfHalf) } };
    case 'BYTES':
      return { 'millrace.common.Strings': { values: data as readonly string[] } };
    case 'BOOL':
      return { 'millrace.common.Booleans': { values: Array.from(data as readonly boolean[], Boolean) } };
    case 'INT64':
    case 'UINT64':
      return bigEventData(data as BigInt64Array | BigUint64Array);
    case 'UINT32':
      return { 'millrace.common.Longs': { values: plainNumbers(data as Uint32Array) } };
    case 'UINT8':
    case 'UINT16':
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return { 'millrace.common.Ints': { values: plainNumbers(data as Int32Array) } };
  }
}

/** Much cheaper than `Array.from` for the short arrays of single rows. */
function plainNumbers(data: Exclude<TensorData, readonly unknown[] | BigInt64Array | BigUint64Array>): number[] {
  const values = new Array<number>(data.length);
  for (let index = 0; index < data.length; index++) values[index] = data[index] ?? 0;
  return values;
}

function bigEventData(data: BigInt64Array | BigUint64Array): EventTensor['data'] {
  const values = new Array<number>(data.length);
  let exact = true;
  for (let index = 0; index < data.length; index++) {
    const value = Number(data[index]);
    values[index] = value;
    exact &&= Number.isSafeInteger(value);
  }
  if (exact) return { 'millrace.common.Longs': { values } };
  return { 'millrace.common.Strings': { values: Array.from(data as BigInt64Array, String) } };
}
