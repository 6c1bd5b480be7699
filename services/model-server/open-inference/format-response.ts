/**
 * The infer response of the Open Inference Protocol v2 (HTTP/REST), from tensors to what `JSON.stringify` takes.
 *
 * `data` is flat and row-major. NaN and infinities, which JSON does not have, are the texts "NaN", "Infinity" and "-Infinity", as
 * in requests: the answer of one model can be the question to the next. 64-bit integers beyond 2^53 are decimal texts; smaller
 * ones are numbers. FP32 and FP16 values are printed as the double that they exactly are.
 */
import type { Tensor } from '../../../runtime/ports/index.ts';
import { jsonData } from '../../../runtime/tensors/json/json-data.ts';
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
