/** The body of MLflow's `/invocations` as a body of the Open Inference Protocol. */
import type { TensorDescription } from '../inference.ts';
import { frameBody, listInput, type OpenBody, recordsBody, wrong } from './tabular.ts';

const fields = ['dataframe_split', 'dataframe_records', 'instances', 'inputs'] as const;
const known: readonly string[] = [...fields, 'params'];

export function invocationsBody(body: unknown, inputs: readonly TensorDescription[]): OpenBody {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrong(oneOf('no object'));
  const given = body as Readonly<Record<string, unknown>>;
  const found = fields.filter((field) => given[field] !== undefined);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  const [field] = found;
  if (found.length !== 1 || field === undefined || unknown !== undefined) {
    throw wrong(oneOf(Object.keys(given).join(', ').slice(0, 200) || 'none'));
  }
  const { params } = given;
  if (params !== undefined && params !== null && Object.keys(params).length > 0) {
    throw wrong(`the model takes no params, got ${Object.keys(params).join(', ').slice(0, 200)}`);
  }
  const value = given[field];
  if (field === 'dataframe_split') return splitBody(value);
  if (field === 'dataframe_records') return recordsBody(listOf(field, value));
  if (field === 'inputs') return { inputs: tensorsOf(value, inputs) };
  const rows = listOf(field, value);
  const byName = rows.length > 0 && rows.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row));
  return { inputs: tensorsOf(byName ? columnsOf(rows as readonly Record<string, unknown>[]) : rows, inputs) };
}

function oneOf(got: string): string {
  return `The input must be a JSON dictionary with exactly one of the input fields ${fields.join(', ')}, and optionally params. Received: ${got}.`;
}

function splitBody(value: unknown): OpenBody {
  const { columns, data } = (value ?? {}) as { readonly columns?: unknown; readonly data?: unknown };
  if (!Array.isArray(columns) || !Array.isArray(data)) {
    throw wrong('dataframe_split must have columns (a list of names) and data (a list of rows)');
  }
  return frameBody(columns.map(String), data as readonly (readonly unknown[])[]);
}

/** A list is for the single input, an object is by name. */
function tensorsOf(value: unknown, inputs: readonly TensorDescription[]): readonly object[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [listInput(undefined, value, inputs)];
  return Object.entries(value).map(([name, list]) => listInput(name, list, inputs));
}

/** TF Serving's rows by name. */
function columnsOf(rows: readonly Readonly<Record<string, unknown>>[]): Readonly<Record<string, readonly unknown[]>> {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])]));
}

function listOf(field: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(`${field} must be a list of rows`);
}
