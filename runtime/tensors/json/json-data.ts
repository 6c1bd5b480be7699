/**
 * The values of a tensor as `JSON.stringify` takes them: flat and row-major. NaN and infinities, which JSON does not have, are the texts
 * "NaN", "Infinity" and "-Infinity"; 64-bit integers beyond 2^53 are decimal texts, smaller ones numbers. FP32 and FP16 values are the
 * double that they exactly are.
 */
import type { Tensor } from '../../ports/index.ts';
import { floatOfHalf } from '../half-float.ts';

export function jsonData({ datatype, data }: Tensor): readonly (number | string | boolean)[] {
  if (data instanceof Float32Array || data instanceof Float64Array) return mapped(data, finiteOrText);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return mapped<bigint>(data, numberOrText);
  if (data instanceof Uint16Array && datatype === 'FP16') return mapped(data, halfOrText);
  if (datatype === 'BOOL') return mapped<unknown>(data, Boolean);
  return mapped(data as ArrayLike<number | string | boolean>, asIs);
}

/** For the short arrays of single rows, `Array.from` costs many times this. */
function mapped<V>(
  data: ArrayLike<V>,
  convert: (value: V) => number | string | boolean,
): readonly (number | string | boolean)[] {
  const values = new Array<number | string | boolean>(data.length);
  for (let index = 0; index < data.length; index++) values[index] = convert(data[index] as V);
  return values;
}

const asIs = (value: number | string | boolean): number | string | boolean => value;
const halfOrText = (bits: number): number | string => finiteOrText(floatOfHalf(bits));

function finiteOrText(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function numberOrText(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
