/**
 * The infer request of the Open Inference Protocol v2 (HTTP/REST), from parsed JSON to tensors.
 *
 * What the protocol leaves open is decided so:
 * - `data` is flat, or nested exactly as `shape` says; row-major.
 * - JSON has no NaN and no infinities: floating-point data may hold the texts "NaN", "Infinity" and "-Infinity". null is refused,
 *   because nobody can tell a missing value from a NaN that a serializer lost.
 * - Integers that a double does not hold exactly are refused; INT64 and UINT64 data may hold decimal texts instead.
 * - A number that overflows its datatype is refused, never wrapped or made infinite.
 * - Tensors whose parameters have a `binary_data_size` lie behind the JSON, in the order of the inputs (binary tensor data extension).
 */
import { tensorError } from '../../../runtime/tensors/tensor-errors.ts';
import { MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { dataOfBytes } from '../../../runtime/tensors/raw-bytes.ts';
import { contentTypeOf, decodeContent, type PendingContent, type TensorContent } from './content-types.ts';
import { parseData } from '../../../runtime/tensors/json/parse-data.ts';
import { datatypeOf, nameOf, shapeOf } from '../../../runtime/tensors/json/tensor-fields.ts';

export type Parameters = Readonly<Record<string, string | number | boolean>>;

export interface InferRequest {
  readonly id?: string;
  readonly parameters?: Parameters;
  readonly inputs: readonly Tensor[];
  /** The outputs that are asked for; absent: all. */
  readonly outputs?: readonly string[];
  /** Absent: the tensors are what the model takes. */
  readonly pending?: PendingContent;
  /** Absent: the answer is JSON alone. */
  readonly form?: AnswerForm;
}

/** How the answer is to look. */
export interface AnswerForm {
  /** Outputs are bytes behind the JSON, unless said otherwise of one. */
  readonly binary: boolean;
  readonly outputs: ReadonlyMap<string, OutputForm>;
}

export interface OutputForm {
  readonly binary?: boolean | undefined;
  readonly content?: TensorContent | undefined;
}

export interface InferLimits {
  /** Values of one tensor. @default 16777216 */
  readonly elementsMax?: number;
  /** @default 256 */
  readonly tensorsMax?: number;
}

/** Dimensions of a tensor. */
export const rankMax = 8;
const parametersMax = 64;
const idLengthMax = 512;

/**
 * Throws INVALID_ARGUMENT, UNSUPPORTED or TOO_LARGE; the message names the tensor, what was expected and what came. `binary`: what lies
 * behind the JSON.
 */
export function parseInferRequest(body: unknown, limits: InferLimits = {}, binary?: Uint8Array): InferRequest {
  const { elementsMax = 2 ** 24, tensorsMax = 256 } = limits;
  const request = objectOf(body, 'the body');
  const id = request['id'];
  if (id !== undefined && (typeof id !== 'string' || id.length > idLengthMax)) {
    throw wrong(`'id' must be a text of at most ${idLengthMax} characters, got ${kindOf(id)}`);
  }
  const parameters = parametersOf(request['parameters'], "'parameters'");
  const given = listOf(request['inputs'], 'inputs', tensorsMax);
  const outputs = request['outputs'] === undefined ? undefined : listOf(request['outputs'], 'outputs', tensorsMax);
  const reading = new Reading(parameters?.['content_type'], elementsMax, binary);
  const inputs = given.map((input, index) => reading.tensor(input, index));
  const pending = reading.end();
  const form = formOf(parameters, outputs);
  return {
    ...(id === undefined ? {} : { id }),
    ...(parameters === undefined ? {} : { parameters }),
    inputs,
    ...(outputs === undefined ? {} : { outputs: outputs.map(outputName) }),
    ...(pending === undefined ? {} : { pending }),
    ...(form === undefined ? {} : { form }),
  };
}

/** Goes through the inputs of one request, and through the bytes behind it. */
class Reading {
  readonly #frame: boolean;
  readonly #content: TensorContent | undefined;
  readonly #elementsMax: number;
  readonly #binary: Uint8Array | undefined;
  readonly #pending = new Map<string, 'np' | 'datetime'>();
  #at = 0;

  constructor(content: unknown, elementsMax: number, binary: Uint8Array | undefined) {
    this.#frame = content === 'pd';
    this.#content = this.#frame ? undefined : contentTypeOf('the request', content);
    this.#elementsMax = elementsMax;
    this.#binary = binary;
  }

  tensor(value: unknown, index: number): Tensor {
    const fields = objectOf(value, `inputs[${index}]`);
    const name = nameOf(fields['name'], index);
    const what = `input '${name.slice(0, 80)}'`;
    const parameters = parametersOf(fields['parameters'], `${what}: 'parameters'`);
    const datatype = datatypeOf(name, fields['datatype']);
    const shape = shapeOf(name, fields['shape'], { rankMax, elementsMax: this.#elementsMax });
    const size = parameters?.['binary_data_size'];
    const data =
      size === undefined
        ? parseData({ name, datatype, shape }, valuesOf(name, fields['data']))
        : dataOfBytes(name, datatype, elementsOf(shape), this.#bytes(name, size, fields['data']));
    const content = contentTypeOf(what, parameters?.['content_type']) ?? this.#content;
    if (content === 'datetime' || (content === 'np' && shape.length === 1)) this.#pending.set(name, content);
    return decodeContent({ name, datatype, shape, data }, content);
  }

  end(): PendingContent | undefined {
    const left = (this.#binary?.length ?? 0) - this.#at;
    if (left > 0) {
      throw wrong(`${left} bytes behind the JSON belong to no input: give each its parameter 'binary_data_size'`);
    }
    return this.#frame || this.#pending.size > 0 ? { frame: this.#frame, tensors: this.#pending } : undefined;
  }

  #bytes(name: string, size: string | number | boolean, data: unknown): Uint8Array {
    if (data !== undefined) throw tensorError(name, "it has both 'data' and the parameter 'binary_data_size'");
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw tensorError(name, `'binary_data_size' must be a whole number of bytes, got ${String(size)}`);
    }
    const begin = this.#at;
    this.#at += size;
    const there = this.#binary?.length ?? 0;
    if (this.#at <= there && this.#binary !== undefined) return this.#binary.subarray(begin, this.#at);
    const hint = this.#binary === undefined ? '; is the header Inference-Header-Content-Length missing?' : '';
    throw tensorError(
      name,
      `'binary_data_size' is ${size}, but ${there - begin} bytes are left behind the JSON${hint}`,
    );
  }
}

function valuesOf(name: string, data: unknown): readonly unknown[] {
  if (Array.isArray(data)) return data;
  throw tensorError(name, `'data' must be a list, got ${kindOf(data)}`);
}

function elementsOf(shape: readonly number[]): number {
  let elements = 1;
  for (const size of shape) elements *= size;
  return elements;
}

function formOf(parameters: Parameters | undefined, outputs: readonly unknown[] | undefined): AnswerForm | undefined {
  const binary = parameters?.['binary_data_output'] === true;
  const forms = new Map<string, OutputForm>();
  for (const [index, output] of (outputs ?? []).entries()) {
    const name = outputName(output, index);
    const given = parametersOf(
      (output as Record<string, unknown>)['parameters'],
      `output '${name.slice(0, 80)}': 'parameters'`,
    );
    if (given === undefined) continue;
    const flag = given['binary_data'];
    const content = contentTypeOf(`output '${name.slice(0, 80)}'`, given['content_type']);
    forms.set(name, { binary: typeof flag === 'boolean' ? flag : undefined, content });
  }
  return binary || forms.size > 0 ? { binary, outputs: forms } : undefined;
}

function outputName(value: unknown, index: number): string {
  const { name } = objectOf(value, `outputs[${index}]`);
  if (typeof name === 'string' && name !== '') return name;
  throw wrong(`outputs[${index}]: 'name' must be a text that is not empty, got ${kindOf(name)}`);
}

function parametersOf(value: unknown, what: string): Parameters | undefined {
  if (value === undefined || value === null) return undefined;
  const entries = Object.entries(objectOf(value, what));
  if (entries.length > parametersMax)
    throw wrong(`${what}: at most ${parametersMax} are allowed, got ${entries.length}`);
  for (const [name, parameter] of entries) {
    if (typeof parameter === 'string' || typeof parameter === 'number' || typeof parameter === 'boolean') continue;
    throw wrong(`${what}: '${name.slice(0, 80)}' must be a text, a number or a boolean, got ${kindOf(parameter)}`);
  }
  return Object.fromEntries(entries) as Parameters;
}

function listOf(value: unknown, name: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(`'${name}' must be a list of tensors, got ${kindOf(value)}`);
  if (value.length > max) throw wrong(`'${name}': at most ${max} tensors are allowed, got ${value.length}`);
  return value;
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(`${what} must be an object, got ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function wrong(problem: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', `infer request: ${problem}`);
}
