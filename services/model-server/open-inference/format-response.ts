/**
 * The infer response of the Open Inference Protocol v2 (HTTP/REST), from tensors to what `JSON.stringify` takes.
 *
 * `data` is flat and row-major. NaN and infinities, which JSON does not have, are the texts "NaN", "Infinity" and "-Infinity", as
 * in requests: the answer of one model can be the question to the next. 64-bit integers beyond 2^53 are decimal texts; smaller
 * ones are numbers. FP32 and FP16 values are printed as the double that they exactly are.
 */
import type { Tensor } from '../../../runtime/ports/index.ts';
import { floatOfHalf } from '../../../runtime/tensors/half-float.ts';
import { bytesOfData } from '../../../runtime/tensors/raw-bytes.ts';
import { encodeContent } from './content-types.ts';
import type { AnswerForm } from './parse-request.ts';

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
  readonly parameters?: Readonly<Record<string, string | number>>;
  /** Absent when the values lie behind the JSON. */
  readonly data?: readonly (number | string | boolean)[];
}

export interface FormedResponse {
  readonly body: InferResponseBody;
  /** What is to lie behind the JSON; undefined when all is JSON. */
  readonly binary: Uint8Array | undefined;
}

/** The answer in the form that the request asked for: content types, and outputs as bytes. */
export function formInferResponse(response: InferResponse, form: AnswerForm): FormedResponse {
  const body = formatInferResponse({ ...response, outputs: [] });
  const parts: Uint8Array[] = [];
  const outputs = response.outputs.map((output): OutputBody => {
    const wanted = form.outputs.get(output.name);
    const encoded = wanted?.content === undefined ? undefined : encodeContent(output, wanted.content);
    const typed = encoded === undefined ? undefined : { content_type: wanted?.content ?? '' };
    const tensor = encoded ?? output;
    const { name, datatype, shape } = tensor;
    if (!(wanted?.binary ?? form.binary)) {
      return { name, datatype, shape, ...(typed && { parameters: typed }), data: jsonData(tensor) };
    }
    const bytes = bytesOfData(datatype, tensor.data);
    parts.push(bytes);
    return { name, datatype, shape, parameters: { ...typed, binary_data_size: bytes.length } };
  });
  return { body: { ...body, outputs }, binary: parts.length === 0 ? undefined : Buffer.concat(parts) };
}

export function formatInferResponse(response: InferResponse): InferResponseBody {
  const { modelName, modelVersion, id, parameters, outputs } = response;
  const body: Writable<InferResponseBody> = { model_name: modelName, outputs: [] };
  if (modelVersion !== undefined) body.model_version = modelVersion;
  if (id !== undefined) body.id = id;
  if (parameters !== undefined) body.parameters = parameters;
  body.outputs = outputs.map((tensor) => ({
    name: tensor.name,
    datatype: tensor.datatype,
    shape: tensor.shape,
    data: jsonData(tensor),
  }));
  return body;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function jsonData({ datatype, data }: Tensor): readonly (number | string | boolean)[] {
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
