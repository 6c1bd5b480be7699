/** Tables and nested lists of other protocols as bodies of the Open Inference Protocol, and tensors back as nested lists. */
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { CsvTable } from '../../../runtime/tensors/csv.ts';
import type { TensorDescription } from '../inference.ts';

export interface OpenBody {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly inputs: readonly object[];
}

/** Each column becomes a tensor: to the input of its name, or all side by side to a single input. */
export function frameBody(columns: readonly string[], rows: readonly (readonly unknown[])[]): OpenBody {
  const uneven = rows.findIndex((row) => !Array.isArray(row) || row.length !== columns.length);
  if (uneven !== -1) {
    const row: unknown = rows[uneven];
    const got = Array.isArray(row) ? `${row.length} values` : JSON.stringify(row)?.slice(0, 60);
    throw wrong(`row ${uneven} must have a value for each of ${columns.length} columns, got ${got}`);
  }
  const inputs = columns.map((name, at) =>
    column(
      name,
      rows.map((row) => row[at]),
    ),
  );
  return { parameters: { content_type: 'pd' }, inputs };
}

/** Rows by column name; a column that one row has must be in all of them. */
export function recordsBody(records: readonly unknown[]): OpenBody {
  const rows = records.map((record, index) => {
    if (typeof record === 'object' && record !== null && !Array.isArray(record))
      return record as Record<string, unknown>;
    throw wrong(`row ${index} must be an object of values by column, got ${JSON.stringify(record)?.slice(0, 60)}`);
  });
  const columns = Object.keys(rows[0] ?? {});
  for (const [index, row] of rows.entries()) {
    const names = Object.keys(row);
    if (names.length !== columns.length || names.some((name) => !columns.includes(name))) {
      throw wrong(
        `row ${index} has the columns ${names.join(', ').slice(0, 200)}, row 0 has ${columns.join(', ').slice(0, 200)}`,
      );
    }
  }
  return frameBody(
    columns,
    rows.map((row) => columns.map((name) => row[name])),
  );
}

/** A column is of numbers when all of its fields are. */
export function csvBody({ columns, rows }: CsvTable): OpenBody {
  const numeric = columns.map((_, at) => rows.every((row) => row[at] === '' || isNumber(row[at] ?? '')));
  return frameBody(
    columns,
    rows.map((row) => row.map((field, at) => (numeric[at] === true ? (field === '' ? null : Number(field)) : field))),
  );
}

/** Nested lists for one input: the single one, or the one that is named. */
export function listInput(name: string | undefined, list: unknown, inputs: readonly TensorDescription[]): object {
  const [only] = inputs;
  if (name === undefined && inputs.length !== 1) {
    const names = inputs.map((input) => input.name).join(', ');
    throw wrong(`the model has the inputs ${names}: give the values of each by its name`);
  }
  const spec = name === undefined ? only : inputs.find((input) => input.name === name);
  const shape: number[] = [];
  for (let inner = list; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const data = Array.isArray(list) ? list : [list];
  return { name: spec?.name ?? name, datatype: spec?.datatype ?? 'FP64', shape, data };
}

/** Flat values as lists of lists. */
export function nested(data: readonly unknown[], shape: readonly number[]): unknown {
  if (shape.length === 0) return data[0];
  if (shape.length === 1) return data;
  const [rows = 0, ...inner] = shape;
  const size = inner.reduce((product, length) => product * length, 1);
  return Array.from({ length: rows }, (_, row) => nested(data.slice(row * size, (row + 1) * size), inner));
}

function column(name: string, values: readonly unknown[]): object {
  const given = values.filter((value) => value !== null);
  const shape = [values.length];
  if (given.length > 0 && given.every((value) => typeof value === 'string')) {
    return { name, datatype: 'BYTES', shape, data: values };
  }
  if (given.length > 0 && given.every((value) => typeof value === 'boolean')) {
    return { name, datatype: 'BOOL', shape, data: values };
  }
  return { name, datatype: 'FP64', shape, data: values.map((value) => value ?? 'NaN') };
}

const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));

export function wrong(problem: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', problem);
}
