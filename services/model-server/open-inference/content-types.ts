/**
 * Content types of MLServer: what the values of a tensor, or the tensors of a request, stand for (`parameters.content_type`).
 *
 * - `np` is the tensor as it is; a lone [n] is [n, 1] where the model has two dimensions.
 * - `str` is text. `base64` is text in base64; what is decoded must be UTF-8, because models take texts.
 * - `datetime` is ISO 8601: to models that take BYTES as it came, to those that take INT64 or FP64 as milliseconds since 1970.
 * - `pd`, of the whole request: each tensor is a column. Columns go to the inputs of their names; all of them side by side, in their
 *   order, to a single input of two dimensions.
 */
import { tensorError } from '../../../runtime/tensors/tensor-errors.ts';
import {
  MillraceError,
  type ModelSignature,
  type Tensor,
  type TensorData,
  type TensorSpec,
} from '../../../runtime/ports/index.ts';
import { textOfBytes } from '../../../runtime/tensors/raw-bytes.ts';
import { castTensor } from '../../../runtime/tensors/row-values.ts';
import { shown } from '../../../runtime/tensors/json/tensor-fields.ts';

const tensorTypes = ['np', 'str', 'base64', 'datetime'] as const;
export type TensorContent = (typeof tensorTypes)[number];

/** What can only be made of the tensors once the model is known. */
export interface PendingContent {
  readonly frame: boolean;
  /** By name of the tensor. */
  readonly tensors: ReadonlyMap<string, 'np' | 'datetime'>;
}

export function contentTypeOf(what: string, value: unknown): TensorContent | undefined {
  if (value === undefined) return undefined;
  if ((tensorTypes as readonly unknown[]).includes(value)) return value as TensorContent;
  throw new MillraceError(
    'UNSUPPORTED',
    `${what}: content_type must be one of ${tensorTypes.join(', ')} (pd for a whole request), got ${shown(value)}`,
  );
}

/** What needs no model: the values are checked, base64 becomes text. */
export function decodeContent(tensor: Tensor, content: TensorContent | undefined): Tensor {
  if (content === undefined || content === 'np') return tensor;
  const { name, datatype, data } = tensor;
  if (datatype !== 'BYTES') throw tensorError(name, `content_type ${content} needs datatype BYTES, got ${datatype}`);
  const texts = data as readonly string[];
  if (content === 'base64') return { ...tensor, data: texts.map((text, index) => ofBase64(name, index, text)) };
  if (content === 'datetime') texts.forEach((text, index) => millisecondsOf(name, index, text));
  return tensor;
}

export function fitContent(
  tensors: readonly Tensor[],
  pending: PendingContent,
  signature: ModelSignature,
): readonly Tensor[] {
  const decoded = tensors.map((tensor) => {
    const content = pending.tensors.get(tensor.name);
    const spec = signature.inputs.find(({ name }) => name === tensor.name);
    if (content === 'datetime') return ofTimes(tensor, spec);
    return content === 'np' && spec?.shape.length === 2 ? asColumn(tensor) : tensor;
  });
  return pending.frame ? fitFrame(decoded, signature) : decoded;
}

/** As the request asked for the output; undefined when such an output cannot be said so. */
export function encodeContent(tensor: Tensor, content: TensorContent): Tensor | undefined {
  const { datatype, data } = tensor;
  if (content === 'np') return tensor;
  if (content === 'datetime' && (data instanceof BigInt64Array || data instanceof Float64Array)) {
    return { ...tensor, datatype: 'BYTES', data: Array.from(data as ArrayLike<bigint | number>, isoOf) };
  }
  if (datatype !== 'BYTES') return undefined;
  if (content !== 'base64') return tensor;
  return { ...tensor, data: (data as readonly string[]).map((text) => Buffer.from(text, 'utf8').toString('base64')) };
}

function fitFrame(columns: readonly Tensor[], { inputs }: ModelSignature): readonly Tensor[] {
  for (const { name, shape } of columns) {
    const column = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
    if (!column)
      throw tensorError(name, `a column of a frame (content_type pd) is [n] or [n, 1], got [${shape.join(', ')}]`);
  }
  const [first] = columns;
  const uneven = columns.find(({ shape }) => shape[0] !== first?.shape[0]);
  if (uneven !== undefined) {
    throw tensorError(
      uneven.name,
      `the column has ${uneven.shape[0]} rows, column '${first?.name}' has ${first?.shape[0]}`,
    );
  }
  const named = columns.every(({ name }) => inputs.some((input) => input.name === name));
  if (named || inputs.length !== 1 || inputs[0]?.shape.length !== 2) {
    return columns.map((column) => {
      const spec = inputs.find(({ name }) => name === column.name);
      const rows = column.shape[0] ?? 0;
      return spec === undefined
        ? column
        : { ...cast(column, spec), shape: spec.shape.length === 2 ? [rows, 1] : [rows] };
    });
  }
  return [sideBySide(columns, inputs[0])];
}

function sideBySide(columns: readonly Tensor[], spec: TensorSpec): Tensor {
  const [, width = -1] = spec.shape;
  if (width !== -1 && width !== columns.length) {
    const names = columns
      .map(({ name }) => name)
      .join(', ')
      .slice(0, 200);
    throw tensorError(spec.name, `it has ${width} columns, the frame has ${columns.length} (${names})`);
  }
  const rows = columns[0]?.shape[0] ?? 0;
  const parts = columns.map((column) => cast(column, spec).data);
  const data = interleaved(parts, rows);
  return { name: spec.name, datatype: spec.datatype, shape: [rows, columns.length], data };
}

/** Columns of one kind to rows. */
function interleaved(columns: readonly TensorData[], rows: number): TensorData {
  const length = rows * columns.length;
  const [first] = columns;
  const data = (
    first === undefined || Array.isArray(first)
      ? new Array<string>(length)
      : new (first.constructor as new (length: number) => Float32Array)(length)
  ) as Float32Array;
  columns.forEach((column, at) => {
    for (let row = 0; row < rows; row++) data[row * columns.length + at] = column[row] as number;
  });
  return data;
}

function cast(column: Tensor, { datatype }: TensorSpec): Tensor {
  const fitted = castTensor(column, datatype);
  if (fitted !== undefined) return fitted;
  throw tensorError(
    column.name,
    `the model takes the column as ${datatype}, which does not hold this ${column.datatype}`,
  );
}

function asColumn(tensor: Tensor): Tensor {
  return tensor.shape.length === 1 ? { ...tensor, shape: [...tensor.shape, 1] } : tensor;
}

function ofBase64(name: string, index: number, text: string): string {
  const stripped = text.replaceAll(/[\r\n]/g, '');
  if (!/^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/.test(stripped)) {
    throw tensorError(name, `value ${index} must be base64 (content_type base64), got ${shown(text)}`);
  }
  return textOfBytes(name, index, Buffer.from(stripped, 'base64'));
}

const iso = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

/** Without a zone it is UTC. */
function millisecondsOf(name: string, index: number, text: string): number {
  const zoned = /(?:Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) || text.length === 10 ? text : `${text}Z`;
  const time = iso.test(text) ? Date.parse(zoned.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw tensorError(name, `value ${index} must be a time in ISO 8601 (content_type datetime), got ${shown(text)}`);
}

function ofTimes(tensor: Tensor, spec: TensorSpec | undefined): Tensor {
  const { name } = tensor;
  if (spec?.datatype !== 'INT64' && spec?.datatype !== 'FP64') return tensor;
  const times = (tensor.data as readonly string[]).map((text, index) => millisecondsOf(name, index, text));
  const data = spec.datatype === 'INT64' ? BigInt64Array.from(times, BigInt) : Float64Array.from(times);
  return { ...tensor, datatype: spec.datatype, data };
}

function isoOf(milliseconds: bigint | number): string {
  const time = new Date(Number(milliseconds));
  return Number.isNaN(time.getTime()) ? String(milliseconds) : time.toISOString();
}
