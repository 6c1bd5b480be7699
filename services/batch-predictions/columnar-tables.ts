/**
 * Tables in Parquet (every codec but LZO) and in Arrow's IPC formats: file (Feather 2) and stream, as they are or compressed by LZ4 or Zstandard.
 * Columns are numbers, texts, booleans and times (as ISO 8601); 64-bit integers only as far as a number is exact.
 */
import { messageOf } from '../../runtime/ports/errors.ts';
import type { Cell, Table } from './read-table.ts';

/** Columns in which pandas keeps the index of its rows. */
const indexColumn = /^__index_level_\d+__$/;

export async function readParquet(bytes: Uint8Array): Promise<Table> {
  const { parquetMetadata, parquetRead, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const file = new Uint8Array(bytes).buffer;
  const metadata = orSay('Parquet', () => parquetMetadata(file));
  const columns = parquetSchema(metadata)
    .children.map(({ element, children }) => ({ name: element.name, nested: children.length > 0 }))
    .filter(({ name }) => !indexColumn.test(name));
  const nested = columns.find((column) => column.nested);
  if (nested !== undefined) throw new Error(notFlat(nested.name));
  const names = columns.map(({ name }) => name);
  let rows: unknown[][] = [];
  try {
    await parquetRead({
      ...{ file, metadata, compressors, columns: names, rowFormat: 'array' },
      onComplete: (read: unknown[][]) => {
        rows = read;
      },
    });
  } catch (error) {
    throw unreadable('Parquet', error);
  }
  return { columns: names, rows: rows.map((row, at) => row.map((value, column) => cellOf(value, at, names[column]))) };
}

export async function readArrow(bytes: Uint8Array): Promise<Table> {
  const { compressionRegistry, CompressionType, tableFromIPC } = await import('apache-arrow');
  const { decompressZstd } = await import('hyparquet-compressors');
  const { decodeLz4Frame } = await import('./lz4-frame.ts');
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: decodeLz4Frame });
  compressionRegistry.set(CompressionType.ZSTD, { decode: (data) => new Uint8Array(decompressZstd(data)) });
  const table = orSay('Arrow', () => tableFromIPC(bytes));
  const fields = table.schema.fields
    .map(({ name, type }, at) => ({ name, type, at }))
    .filter(({ name }) => !indexColumn.test(name));
  if (fields.length === 0) throw unreadable('Arrow', new Error('it has no columns'));
  const read = fields.map(({ name, type, at }) => {
    const vector = table.getChildAt(at);
    const time = /^(?:Date|Timestamp)/.test(String(type));
    return Array.from({ length: table.numRows }, (_, row) => {
      const value: unknown = vector?.get(row);
      return cellOf(time && typeof value === 'number' ? new Date(value) : value, row, name);
    });
  });
  const rows = Array.from({ length: table.numRows }, (_, row) => read.map((column) => column[row] ?? ''));
  return { columns: fields.map(({ name }) => name), rows };
}

function cellOf(value: unknown, row: number, column: string | undefined): Cell {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') {
    if (Number.isSafeInteger(Number(value))) return Number(value);
    throw new Error(`row ${row}, counted from 0, column '${column}': ${value} is no exact number; make it a text`);
  }
  if (value instanceof Date) return value.toISOString();
  if (value === null || value === undefined) {
    throw new Error(
      `row ${row}, counted from 0, has no '${column}': rows hold numbers, texts and booleans; fill missing values before`,
    );
  }
  throw new Error(notFlat(column ?? ''));
}

function notFlat(column: string): string {
  return `column '${column}' holds lists or records: a column must hold numbers, texts, booleans or times; make one column of each part`;
}

function orSay<T>(format: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unreadable(format, error);
  }
}

function unreadable(format: string, error: unknown): Error {
  return new Error(`the file cannot be read as ${format}: ${messageOf(error)}`, {
    cause: error,
  });
}
