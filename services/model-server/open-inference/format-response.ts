/**
 * The infer response of the Open Inference Protocol v2 (HTTP/REST), from tensors to what `JSON.stringify` takes.
 *
 * `data` is flat and row-major. NaN and infinities, which JSON does not have, are the texts "NaN", "Infinity" and "-Infinity", as
 * in requests: the answer of one model can be the question to the next. 64-bit integers beyond 2^53 are decimal texts; smaller
 * ones are numbers. FP32 and FP16 values are printed as the double that they exactly are.
 */
import type { Tensor } from '../../../runtime/ports/index.ts';
import { floatOfHalf } from '../half-float.ts';

export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion?: string | undefined;
  readonly id?: string | undefined;
  readonly parameters?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly outputs: readonly Tensor[];
}

export interface InferResponseBody {
  readonly model_name: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly outputs: readonly OutputBody[];
}

export interface OutputBody {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string | boolean)[];
}

export function formatInferResponse(response: InferResponse): InferResponseBody {
  const { modelName, modelVersion, id, parameters, outputs } = response;
  return {
    model_name: modelName,
    ...(modelVersion === undefined ? {} : { model_version: modelVersion }),
    ...(id === undefined ? {} : { id }),
    ...(parameters === undefined ? {} : { parameters }),
    outputs: outputs.map((tensor) => ({
      name: tensor.name,
      datatype: tensor.datatype,
      shape: tensor.shape,
      data: jsonData(tensor),
    })),
  };
}

function jsonData({ datatype, data }: Tensor): readonly (number | string | boolean)[] {
  if (data instanceof Float32Array || data instanceof Float64Array)
    return Array.from<number, number | string>(data, finiteOrText);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return Array.from<bigint, number | string>(data, numberOrText);
  }
  if (data instanceof Uint16Array && datatype === 'FP16') {
    return Array.from<number, number | string>(data, (bits) => finiteOrText(floatOfHalf(bits)));
  }
  if (datatype === 'BOOL') return Array.from<unknown, boolean>(data, Boolean);
  return Array.from<number | string | boolean>(data as ArrayLike<number | string | boolean>);
}

function finiteOrText(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function numberOrText(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
