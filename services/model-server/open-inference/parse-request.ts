/**
 * The infer request of the Open Inference Protocol v2 (HTTP/REST), from parsed JSON to tensors.
 *
 * What the protocol leaves open is decided so:
 * - `data` is flat, or nested exactly as `shape` says; row-major.
 * - JSON has no NaN and no infinities: floating-point data may hold the texts "NaN", "Infinity" and "-Infinity". null is refused,
 *   because nobody can tell a missing value from a NaN that a serializer lost.
 * - Integers that a double does not hold exactly are refused; INT64 and UINT64 data may hold decimal texts instead.
 * - A number that overflows its datatype is refused, never wrapped or made infinite.
 */
import { MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { parseData } from './parse-data.ts';
import { datatypeOf, invalid, nameOf, shapeOf } from './tensor-fields.ts';

export type Parameters = Readonly<Record<string, string | number | boolean>>;

export interface InferRequest {
  readonly id?: string;
  readonly parameters?: Parameters;
  readonly inputs: readonly Tensor[];
  /** The outputs that are asked for; absent: all. */
  readonly outputs?: readonly string[];
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

/** Throws INVALID_ARGUMENT, UNSUPPORTED or TOO_LARGE; the message names the tensor, what was expected and what came. */
export function parseInferRequest(body: unknown, limits: InferLimits = {}): InferRequest {
  const { elementsMax = 2 ** 24, tensorsMax = 256 } = limits;
  const request = objectOf(body, 'the body');
  const id = request['id'];
  if (id !== undefined && (typeof id !== 'string' || id.length > idLengthMax)) {
    throw wrong(`'id' must be a text of at most ${idLengthMax} characters, got ${kindOf(id)}`);
  }
  const parameters = parametersOf(request['parameters'], "'parameters'");
  const given = listOf(request['inputs'], 'inputs', tensorsMax);
  const outputs = request['outputs'] === undefined ? undefined : listOf(request['outputs'], 'outputs', tensorsMax);
  return {
    ...(id === undefined ? {} : { id }),
    ...(parameters === undefined ? {} : { parameters }),
    inputs: given.map((input, index) => parseTensor(input, index, elementsMax)),
    ...(outputs === undefined ? {} : { outputs: outputs.map(outputName) }),
  };
}

function parseTensor(value: unknown, index: number, elementsMax: number): Tensor {
  const fields = objectOf(value, `inputs[${index}]`);
  const name = nameOf(fields['name'], index);
  const parameters = parametersOf(fields['parameters'], `input '${name.slice(0, 80)}': 'parameters'`);
  if (parameters?.['binary_data_size'] !== undefined) {
    throw new MillraceError(
      'UNSUPPORTED',
      `input '${name.slice(0, 80)}': binary tensor data is not supported; send the values as JSON in 'data'`,
      { details: { tensor: name } },
    );
  }
  const datatype = datatypeOf(name, fields['datatype']);
  const shape = shapeOf(name, fields['shape'], { rankMax, elementsMax });
  if (!Array.isArray(fields['data'])) throw invalid(name, `'data' must be a list, got ${kindOf(fields['data'])}`);
  return { name, datatype, shape, data: parseData({ name, datatype, shape }, fields['data']) };
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
