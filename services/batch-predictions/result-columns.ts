/** Results of a batch as columns, each of the type that its output has in the answers. */
import type { DatatypesOf, RowResult } from './predict-rows.ts';

export type Value = number | bigint | string | boolean | null;

/** Types of columns: those of the Open Inference Protocol, as the model said them. */
export type ColumnType = 'BOOL' | 'BYTES' | IntegerType | FloatType;
type FloatType = 'FP16' | 'FP32' | 'FP64';
type IntegerType = 'INT8' | 'INT16' | 'INT32' | 'INT64' | 'UINT8' | 'UINT16' | 'UINT32' | 'UINT64';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Of INT64 and UINT64 bigints. */
  readonly values: readonly Value[];
}

/** What a result has beside its outputs. */
const own = new Set(['row', 'prediction_id', 'route', 'error_code', 'error_message']);

export function columnsOf(results: readonly RowResult[], datatypes: DatatypesOf): readonly Column[] {
  const flat = results.map(({ outputs = {} }) => flatten(outputs));
  const names = new Set(flat.flatMap((outputs) => [...outputs.keys()]));
  const outputs = [...names].map((name) =>
    columnOf(
      nameOf(name, names),
      flat.map((row) => row.get(name) ?? null),
      // of `probabilities.1` that of `probabilities`
      datatypes[name] ?? datatypes[name.replace(/\.\d+$/, '')],
    ),
  );
  return [
    { name: 'row', type: 'INT32', values: results.map(({ row }) => row) },
    columnOf(
      'prediction_id',
      results.map(({ predictionId }) => predictionId ?? null),
    ),
    columnOf(
      'route',
      results.map(({ route }) => route ?? null),
    ),
    ...outputs,
    columnOf(
      'error_code',
      results.map(({ error }) => error?.code ?? null),
    ),
    columnOf(
      'error_message',
      results.map(({ error }) => error?.message ?? null),
    ),
  ];
}

/** An output that has the name of another column is told apart from it. */
function nameOf(output: string, outputs: ReadonlySet<string>): string {
  if (!own.has(output)) return output;
  let name = `output.${output}`;
  while (outputs.has(name)) name = `output.${name}`;
  return name;
}

function flatten(outputs: Readonly<Record<string, unknown>>): ReadonlyMap<string, Value> {
  const values = new Map<string, Value>();
  for (const [name, value] of Object.entries(outputs)) {
    if (Array.isArray(value)) for (const [at, one] of value.entries()) values.set(`${name}.${at}`, plain(one));
    else values.set(name, plain(value));
  }
  return values;
}

function plain(value: unknown): Value {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** Of the type of the output; without one, or where the values are of others, of what the values are; texts where those differ. */
function columnOf(name: string, values: readonly Value[], datatype?: string): Column {
  const typed = ofDatatype(values, datatype);
  if (typed !== undefined) return { name, ...typed };
  const kinds = new Set(values.flatMap((value) => (value === null ? [] : [typeof value])));
  if (kinds.size === 1 && kinds.has('number')) return { name, type: 'FP64', values };
  if (kinds.size === 1 && kinds.has('boolean')) return { name, type: 'BOOL', values };
  return { name, type: 'BYTES', values: values.map((value) => (value === null ? null : String(value))) };
}

const wide: ReadonlySet<string> = new Set(['INT64', 'UINT64']);
const narrow: ReadonlySet<string> = new Set(['INT8', 'INT16', 'INT32', 'UINT8', 'UINT16', 'UINT32']);
const floats: ReadonlySet<string> = new Set(['FP16', 'FP32', 'FP64']);

/** undefined: the datatype says nothing of a column, or a value is none of it. */
function ofDatatype(values: readonly Value[], datatype = ''): Pick<Column, 'type' | 'values'> | undefined {
  const read = wide.has(datatype)
    ? integerOf
    : narrow.has(datatype)
      ? (value: Value) => (Number.isInteger(value) ? value : undefined)
      : floats.has(datatype)
        ? floatOf
        : undefined;
  if (read === undefined) return undefined;
  const found = values.map((value) => (value === null ? null : read(value)));
  if (found.includes(undefined)) return undefined;
  return { type: datatype as ColumnType, values: found as readonly Value[] };
}

/** Answers have integers that a number does not hold as decimal text. */
function integerOf(value: Value): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

const notFinite: ReadonlySet<Value> = new Set(['NaN', 'Infinity', '-Infinity']);

function floatOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return notFinite.has(value) ? Number(value) : undefined;
}
