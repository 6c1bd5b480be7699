/**
 * Tensors as custom code sees them: one plain object a row, of each tensor a value where the row has one element, else a flat array.
 * 64-bit integers are numbers while they are exact, else bigints. A row that is passed on as it came keeps its datatypes and shapes.
 */
import { type Datatype, MillraceError, type Tensor, type TensorData } from '../ports/index.ts';
import { floatOfHalf } from './half-float.ts';

type Scalar = number | bigint | string | boolean;
export type PlainRow = Readonly<Record<string, unknown>>;

/** How a tensor of a row looked, but for the number of rows. */
interface Look {
  readonly datatype: Datatype;
  readonly rest: readonly number[];
}

const looks = new WeakMap<object, Readonly<Record<string, Look>>>();

/** The number of rows of all tensors; undefined when they disagree, or one has none. */
export function rowCount(tensors: readonly Tensor[]): number | undefined {
  const rows = tensors[0]?.shape[0];
  return tensors.every(({ shape }) => shape[0] === rows) ? rows : undefined;
}

/** INVALID_ARGUMENT when the tensors do not have one row each for all rows. */
export function rowsOfTensors(tensors: readonly Tensor[], rows: number): readonly PlainRow[] {
  const look: Record<string, Look> = {};
  const columns = tensors.map(({ name, datatype, shape, data }) => {
    if (shape[0] !== rows) {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `tensor '${name}' has shape [${shape.join(', ')}]; custom code sees rows, and the request has ${rows}`,
        { details: { tensor: name } },
      );
    }
    const rest = shape.slice(1);
    look[name] = { datatype, rest };
    return { name, data, datatype, width: rest.reduce((product, size) => product * size, 1) };
  });
  return Array.from({ length: rows }, (_, row) => {
    const values: Record<string, Scalar | Scalar[]> = {};
    for (const { name, data, datatype, width } of columns) {
      if (width === 1) values[name] = scalar(data[row], datatype);
      else {
        const list = new Array<Scalar>(width);
        for (let index = 0; index < width; index++) list[index] = scalar(data[row * width + index], datatype);
        values[name] = list;
      }
    }
    looks.set(values, look);
    return values;
  });
}

function scalar(value: unknown, datatype: Datatype): Scalar {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return datatype === 'FP16' ? floatOfHalf(value as number) : (value as Scalar);
}

/**
 * The rows as tensors; undefined when they do not have the same values in the same number. A value that is undefined is not there.
 * USER_CODE_FAILED for what is no row.
 */
export function tensorsOfRows(rows: readonly unknown[]): readonly Tensor[] | undefined {
  const [first] = rows;
  for (const row of rows) checkRow(row);
  const names = namesOf(first as PlainRow);
  const look = looks.get(first as object);
  const tensors: Tensor[] = [];
  for (const name of names) {
    const width = widthOf((first as PlainRow)[name]);
    const values: unknown[] = [];
    for (const row of rows as readonly PlainRow[]) {
      const value = row[name];
      if (value === undefined || widthOf(value) !== width || namesOf(row).length !== names.length) return undefined;
      if (width === undefined) values.push(value);
      else for (const each of value as Iterable<unknown>) values.push(each); // an image is more than a call takes arguments
    }
    tensors.push(tensorOf(name, rows.length, width, values, look?.[name]));
  }
  return tensors;
}

function namesOf(row: PlainRow): readonly string[] {
  return Object.keys(row).filter((name) => row[name] !== undefined);
}

function checkRow(row: unknown): asserts row is PlainRow {
  if (typeof row === 'object' && row !== null && !Array.isArray(row)) return;
  const got = row === null ? 'null' : Array.isArray(row) ? 'an array' : typeof row;
  throw new MillraceError(
    'USER_CODE_FAILED',
    `the code must give an object of values by tensor name, like { label: 1 }, got ${got}`,
  );
}

/** undefined for a single value. */
function widthOf(value: unknown): number | undefined {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)
    ? (value as ArrayLike<unknown>).length
    : undefined;
}

function tensorOf(
  name: string,
  rows: number,
  width: number | undefined,
  values: unknown[],
  look: Look | undefined,
): Tensor {
  const kind = typeof values[0];
  const odd = values.find((value) => typeof value !== kind);
  if (odd !== undefined || !['number', 'bigint', 'string', 'boolean'].includes(values.length === 0 ? 'number' : kind)) {
    const got = odd === undefined ? kind : `${kind} and ${typeof odd}`;
    throw new MillraceError(
      'USER_CODE_FAILED',
      `'${name}' must be numbers, bigints, texts or booleans of one kind, got ${got}`,
    );
  }
  const natural: Datatype =
    kind === 'bigint' ? 'INT64' : kind === 'string' ? 'BYTES' : kind === 'boolean' ? 'BOOL' : 'FP64';
  const kept = look !== undefined && look.rest.reduce((product, size) => product * size, 1) === (width ?? 1);
  const raw: Tensor = {
    name,
    datatype: natural,
    shape: kept ? [rows, ...look.rest] : width === undefined ? [rows] : [rows, width],
    data:
      natural === 'FP64'
        ? Float64Array.from(values as number[])
        : natural === 'INT64'
          ? BigInt64Array.from(values as bigint[])
          : (values as string[]),
  };
  return look === undefined ? raw : (castTensor(raw, look.datatype) ?? raw);
}

const numeric: Partial<
  Record<Datatype, { from(values: ArrayLike<number>): TensorData; readonly min: number; readonly max: number }>
> = {
  FP32: { from: (values) => Float32Array.from(values), min: -Infinity, max: Infinity },
  FP64: { from: (values) => Float64Array.from(values), min: -Infinity, max: Infinity },
  INT8: { from: (values) => Int8Array.from(values), min: -(2 ** 7), max: 2 ** 7 - 1 },
  INT16: { from: (values) => Int16Array.from(values), min: -(2 ** 15), max: 2 ** 15 - 1 },
  INT32: { from: (values) => Int32Array.from(values), min: -(2 ** 31), max: 2 ** 31 - 1 },
  UINT8: { from: (values) => Uint8Array.from(values), min: 0, max: 2 ** 8 - 1 },
  UINT16: { from: (values) => Uint16Array.from(values), min: 0, max: 2 ** 16 - 1 },
  UINT32: { from: (values) => Uint32Array.from(values), min: 0, max: 2 ** 32 - 1 },
};

/** The same numbers in another datatype; undefined when it cannot hold them. */
export function castTensor(tensor: Tensor, datatype: Datatype): Tensor | undefined {
  if (tensor.datatype === datatype) return tensor;
  const { data } = tensor;
  if (Array.isArray(data) || tensor.datatype === 'FP16') return undefined;
  const values = Array.from(data as ArrayLike<number | bigint>, Number);
  const whole = datatype !== 'FP32' && datatype !== 'FP64';
  if (whole && !values.every(Number.isSafeInteger)) return undefined;
  if (datatype === 'INT64') return { ...tensor, datatype, data: BigInt64Array.from(values, BigInt) };
  if (datatype === 'UINT64') {
    return values.some((value) => value < 0)
      ? undefined
      : { ...tensor, datatype, data: BigUint64Array.from(values, BigInt) };
  }
  const kind = numeric[datatype];
  if (kind === undefined || values.some((value) => value < kind.min || value > kind.max)) return undefined;
  return { ...tensor, datatype, data: kind.from(values) };
}
