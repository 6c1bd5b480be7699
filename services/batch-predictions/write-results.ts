/**
 * Results of a batch as a file: JSON lines as they are, or one table with a column for each output (`<output>.<i>` where a row has a list,
 * `output.<output>` where it is named as a column of the result itself).
 */
import type { DataType } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import type { DatatypesOf, RowResult } from './predict-rows.ts';
import { type Column, type ColumnType, columnsOf, type Value } from './result-columns.ts';

export const resultFormats = ['jsonl', 'csv', 'parquet', 'arrow'] as const;
export type ResultFormat = (typeof resultFormats)[number];

/** `datatypes`: of the outputs, as the answers named them; of others the values decide. */
export async function resultFile(
  results: readonly RowResult[],
  format: ResultFormat,
  datatypes: DatatypesOf = {},
): Promise<Uint8Array> {
  switch (format) {
    case 'jsonl':
      return Buffer.from(results.map((result) => `${JSON.stringify(result)}\n`).join(''));
    case 'csv':
      return csvOf(columnsOf(results, datatypes));
    case 'parquet':
      return await parquetOf(columnsOf(results, datatypes));
    case 'arrow':
      return await arrowOf(columnsOf(results, datatypes));
  }
}

function csvOf(columns: readonly Column[]): Uint8Array {
  const field = (value: Value): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const line = (values: readonly Value[]): string => `${values.map(field).join(',')}\n`;
  const rows = columns[0]?.values.length ?? 0;
  const lines = [line(columns.map(({ name }) => name))];
  for (let row = 0; row < rows; row++) lines.push(line(columns.map(({ values }) => values[row] ?? null)));
  return Buffer.from(lines.join(''));
}

/** Physical type, and what it means where that says less; FP16 is widened, and UINT32, which few read. */
const parquetTypes: Readonly<Record<ColumnType, Pick<SchemaElement, 'type' | 'converted_type'>>> = {
  BOOL: { type: 'BOOLEAN' },
  BYTES: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  INT8: { type: 'INT32', converted_type: 'INT_8' },
  INT16: { type: 'INT32', converted_type: 'INT_16' },
  INT32: { type: 'INT32' },
  INT64: { type: 'INT64' },
  UINT8: { type: 'INT32', converted_type: 'UINT_8' },
  UINT16: { type: 'INT32', converted_type: 'UINT_16' },
  UINT32: { type: 'INT64' },
  UINT64: { type: 'INT64', converted_type: 'UINT_64' },
  FP16: { type: 'FLOAT' },
  FP32: { type: 'FLOAT' },
  FP64: { type: 'DOUBLE' },
};

async function parquetOf(columns: readonly Column[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const schema: SchemaElement[] = [
    { name: 'root', num_children: columns.length },
    ...columns.map(({ name, type }) => ({ name, repetition_type: 'OPTIONAL' as const, ...parquetTypes[type] })),
  ];
  const columnData = columns.map(({ name, type, values }) => ({
    name,
    data: type === 'UINT32' ? values.map((value) => (value === null ? null : BigInt(value))) : [...values],
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData, schema }));
}

async function arrowOf(columns: readonly Column[]): Promise<Uint8Array> {
  const arrow = await import('apache-arrow');
  const types = {
    ...{ BOOL: arrow.Bool, BYTES: arrow.Utf8, FP16: arrow.Float32, FP32: arrow.Float32, FP64: arrow.Float64 },
    ...{ INT8: arrow.Int8, INT16: arrow.Int16, INT32: arrow.Int32, INT64: arrow.Int64 },
    ...{ UINT8: arrow.Uint8, UINT16: arrow.Uint16, UINT32: arrow.Uint32, UINT64: arrow.Uint64 },
  } as const satisfies Record<ColumnType, unknown>;
  const vectors = columns.map(({ name, type, values }) => {
    const Type: new () => DataType = types[type];
    return [name, arrow.vectorFromArray([...values], new Type())] as const;
  });
  return arrow.tableToIPC(new arrow.Table(Object.fromEntries(vectors)), 'file');
}
