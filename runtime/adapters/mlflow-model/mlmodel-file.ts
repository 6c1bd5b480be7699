/** What the file MLmodel says about a model: how it is called, and with what. Format: MLflow 1.x to 3.x. */
import { parse } from 'yaml';
import { type Datatype, MillraceError, messageOf, type TensorSpec } from '../../ports/index.ts';
import { refuse } from './listing.ts';

/** How tensors become the argument of `predict`. */
export type ArgumentForm =
  /** A data frame: each tensor is a column. */
  | 'frame'
  /** One array. */
  | 'array'
  /** Arrays by name. */
  | 'arrays';

export interface MlflowModelFile {
  readonly form: ArgumentForm;
  readonly inputs: readonly TensorSpec[];
  /** undefined: only a run tells. */
  readonly outputs: readonly TensorSpec[] | undefined;
  /** Names of columns that hold times. */
  readonly times: readonly string[];
  readonly notes: readonly string[];
}

/** MODEL_REFUSED or UNSUPPORTED, with what the file should say. */
export function readMlmodel(text: string): MlflowModelFile {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw refuse(`MLmodel is no YAML: ${messageOf(error)}`, error);
  }
  const { flavors, signature } = (value ?? {}) as { readonly flavors?: unknown; readonly signature?: unknown };
  const known = typeof flavors === 'object' && flavors !== null ? Object.keys(flavors) : [];
  if (!known.includes('python_function')) {
    throw refuse(
      `MLmodel has no flavor python_function (it has ${known.join(', ') || 'none'}): save it by a flavor of mlflow that has one`,
    );
  }
  const { inputs, outputs } = (signature ?? {}) as { readonly inputs?: unknown; readonly outputs?: unknown };
  const given = fieldsOf('inputs', inputs);
  const answered = outputs === undefined || outputs === null ? undefined : fieldsOf('outputs', outputs);
  if (given.length === 0) {
    return {
      form: 'array',
      inputs: [{ name: 'input', datatype: 'FP64', shape: [-1, -1] }],
      outputs: specsOf(answered, 'predictions'),
      times: [],
      notes: [
        'The model has no signature: it takes one matrix of FP64. Log it with a signature to have its inputs checked.',
      ],
    };
  }
  const tensors = given.filter(({ tensor }) => tensor).length;
  if (tensors > 0 && tensors < given.length) throw refuse('the signature mixes tensors and columns');
  const form = tensors === 0 ? 'frame' : given.length === 1 && given[0]?.name === undefined ? 'array' : 'arrays';
  const specs = specsOf(given, 'input') ?? [];
  const times = given.flatMap(({ time }, index) => (time ? [specs[index]?.name ?? ''] : []));
  return { form, inputs: specs, outputs: specsOf(answered, 'predictions'), times, notes: [] };
}

interface Field {
  readonly name: string | undefined;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly tensor: boolean;
  readonly time: boolean;
}

function specsOf(fields: readonly Field[] | undefined, lone: string): readonly TensorSpec[] | undefined {
  return fields?.map(({ name, datatype, shape }, index) => ({
    name: name ?? (fields.length === 1 ? lone : String(index)),
    datatype,
    shape,
  }));
}

/** A schema is JSON in a text: a list of columns `{name?, type}` or tensors `{name?, type: 'tensor', 'tensor-spec': {dtype, shape}}`. */
function fieldsOf(what: string, schema: unknown): readonly Field[] {
  if (schema === undefined || schema === null) return [];
  let list: unknown;
  try {
    list = typeof schema === 'string' ? JSON.parse(schema) : schema;
  } catch (error) {
    throw refuse(`the ${what} of its signature are no JSON: ${messageOf(error)}`, error);
  }
  if (!Array.isArray(list)) throw refuse(`the ${what} of its signature are no list`);
  return list.map((field: unknown, index) => fieldOf(field, `${what}[${index}]`));
}

function fieldOf(field: unknown, where: string): Field {
  const given = (field ?? {}) as Readonly<Record<string, unknown>>;
  const name = typeof given['name'] === 'string' ? given['name'] : undefined;
  const type = String(given['type']);
  if (type === 'tensor') {
    const { dtype, shape } = (given['tensor-spec'] ?? {}) as { readonly dtype?: unknown; readonly shape?: unknown };
    const datatype = tensorTypes[String(dtype)];
    if (datatype === undefined || !isShape(shape)) {
      throw unsupported(`${where} of its signature is a tensor of ${String(dtype)} ${JSON.stringify(shape)}`);
    }
    return { name, datatype, shape, tensor: true, time: false };
  }
  const datatype = columnTypes[type];
  if (datatype === undefined) throw unsupported(`${where} of its signature is a column of type '${type}'`);
  return { name, datatype, shape: [-1], tensor: false, time: type === 'datetime' };
}

const isShape = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isInteger(size) && size >= -1);

const unsupported = (problem: string): MillraceError =>
  new MillraceError(
    'UNSUPPORTED',
    `${problem}; columns of ${Object.keys(columnTypes).join(', ')} and tensors of ${Object.keys(tensorTypes).join(', ')} are served`,
  );

const columnTypes: Readonly<Record<string, Datatype>> = {
  boolean: 'BOOL',
  integer: 'INT32',
  long: 'INT64',
  float: 'FP32',
  double: 'FP64',
  string: 'BYTES',
  datetime: 'BYTES',
};

const tensorTypes: Readonly<Record<string, Datatype>> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  str: 'BYTES',
  object: 'BYTES',
};
