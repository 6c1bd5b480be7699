/** Rows of a file as columns by name: CSV, JSON lines, JSON, an array of numpy, Parquet or Arrow. */
import { messageOf } from '../../runtime/ports/errors.ts';
import { parseCsv } from '../../runtime/tensors/csv.ts';
import { decodeNpy } from '../../schemas/codec/npy.ts';

export type Cell = number | string | boolean;

export interface Table {
  /** Names; '0', '1' … where the file has none. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export const tableFormats = ['csv', 'jsonl', 'json', 'npy', 'parquet', 'arrow'] as const;
export type TableFormat = (typeof tableFormats)[number];

/** Rejects with an Error that names the line or row and what is wrong with it. */
export async function readTable(bytes: Uint8Array, format: TableFormat): Promise<Table> {
  const text = (): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  switch (format) {
    case 'csv':
      return typedColumns(parseCsv(text()));
    case 'jsonl':
      return tableOf(linesOf(text()));
    case 'json':
      return tableOf(listOf(JSON.parse(text())));
    case 'npy':
      return tableOfArray(bytes);
    case 'parquet':
      return await (await import('./columnar-tables.ts')).readParquet(bytes);
    case 'arrow':
      return await (await import('./columnar-tables.ts')).readArrow(bytes);
  }
}

/** A column whose fields are all numbers holds numbers. */
function typedColumns({ columns, rows }: { columns: readonly string[]; rows: readonly (readonly string[])[] }): Table {
  const numeric = columns.map((_, at) =>
    rows.every((row) => (row[at] ?? '').trim() !== '' && Number.isFinite(Number(row[at]))),
  );
  return {
    columns,
    rows: rows.map((row) => row.map((field, at): Cell => (numeric[at] === true ? Number(field) : field))),
  };
}

function linesOf(text: string): readonly unknown[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch (error) {
      throw new Error(`line ${at + 1} is no JSON: ${messageOf(error)}`, { cause: error });
    }
  });
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error('the file must hold a list of rows: [[…], …] or [{"column": value, …}, …]');
}

function tableOf(rows: readonly unknown[]): Table {
  const [first] = rows;
  const columns = Array.isArray(first) ? first.map((_, at) => String(at)) : Object.keys(first ?? {});
  return {
    columns,
    rows: rows.map((row, at) => {
      const fields = (row ?? {}) as Readonly<Record<string, unknown>>;
      const cells: readonly unknown[] = Array.isArray(row) ? row : columns.map((name) => fields[name]);
      const odd = cells.findIndex((cell) => !['number', 'string', 'boolean'].includes(typeof cell));
      if (odd < 0 && cells.length === columns.length) return cells as readonly Cell[];
      const what = odd < 0 ? `has ${cells.length} values, the first row ${columns.length}` : `has no '${columns[odd]}'`;
      throw new Error(`row ${at}, counted from 0, ${what}: rows hold numbers, texts and booleans`);
    }),
  };
}

function tableOfArray(bytes: Uint8Array): Table {
  const { data, shape } = decodeNpy(bytes);
  const [count = 0, width = 1, ...more] = shape;
  if (more.length > 0) throw new Error(`an array of rows has the shape [rows, columns], got [${shape.join(', ')}]`);
  const values = Array.from(data as ArrayLike<number | bigint>, Number);
  return {
    columns: Array.from({ length: width }, (_, at) => String(at)),
    rows: Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width)),
  };
}
