/** Tables as pandas and pyarrow write them (`tables/make-tables.py`), read as rows; and results as tables. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { decodeLz4Frame } from '../../../services/batch-predictions/lz4-frame.ts';
import type { RowResult } from '../../../services/batch-predictions/predict-rows.ts';
import { readTable, type TableFormat } from '../../../services/batch-predictions/read-table.ts';
import { type ResultFormat, resultFile } from '../../../services/batch-predictions/write-results.ts';

const file = (name: string): Promise<Buffer> => readFile(new URL(`tables/${name}`, import.meta.url));
const formatOf = (name: string): TableFormat => (name.endsWith('.parquet') ? 'parquet' : 'arrow');
const read = async (name: string) => await readTable(await file(name), formatOf(name));

const said = {
  columns: ['a', 'b', 'count', 'small', 'open', 'city', 'kind', 'at'],
  rows: [
    [5.1, 3.5, 1, 1, true, 'Zürich', 'x', '2026-01-31T12:00:00.250Z'],
    [6.3, 3.25, -2, 255, false, '', 'y', '1999-12-31T23:59:59.000Z'],
    [7, -1.5, 9_007_199_254_740_991, 7, true, '日本', 'x', '2000-02-29T00:00:00.000Z'],
  ],
};

describe('a table', () => {
  it.each([
    'pandas.parquet',
    'none.parquet',
    'gzip.parquet',
    'brotli.parquet',
    'zstd.parquet',
    'lz4.parquet',
    'version-1-two-groups.parquet',
    'pandas.feather',
    'zstd.feather',
    'none.feather',
    'stream.arrows',
  ])('%s gives the rows that went into it, without the index of pandas', async (name) => {
    expect(await read(name)).toEqual(said);
  });

  it('of many compressed blocks is read whole', async () => {
    const { columns, rows } = await read('long.feather');
    expect(columns).toEqual(['value', 'name']);
    expect(rows).toEqual(Array.from({ length: 10_000 }, (_, row) => [(row % 977) / 8, `row ${row % 13}`]));
  });

  it('in Arrow with two columns of one name has the values of each', async () => {
    const { Field, Float64, makeData, RecordBatch, Schema, Struct, Table, tableToIPC, vectorFromArray } = await import(
      'apache-arrow'
    );
    const fields = [1, 2].map(() => new Field('x', new Float64(), true));
    const children = [1, 2].map(
      (value) => vectorFromArray([value], new Float64()).data[0] ?? makeData({ type: new Float64() }),
    );
    const data = makeData({ type: new Struct(fields), length: 1, nullCount: 0, children });
    const schema = new Schema(fields);
    const bytes = tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), 'file');
    expect(await readTable(bytes, 'arrow')).toEqual({ columns: ['x', 'x'], rows: [[1, 2]] });
  });

  it.each<[string, string]>([
    ['missing.parquet', "row 1, counted from 0, has no 'x': rows hold numbers, texts and booleans"],
    ['too-large.parquet', "column 'x': 9007199254740993 is no exact number"],
    ['lists.parquet', "column 'x' holds lists or records"],
    ['lists.feather', "column 'x' holds lists or records"],
  ])('%s is refused, and the reason says where', async (name, reason) => {
    await expect(read(name)).rejects.toThrow(reason);
  });

  it.each<[string, TableFormat]>([
    ['pandas.feather', 'parquet'],
    ['pandas.parquet', 'arrow'],
    ['make-tables.py', 'parquet'],
    ['make-tables.py', 'arrow'],
  ])('%s is not taken for %s', async (name, format) => {
    await expect(readTable(await file(name), format)).rejects.toThrow(/the file cannot be read as (Parquet|Arrow): /);
  });

  it.each<[string, number]>([
    ['pandas.parquet', 0.5],
    ['pandas.feather', 0.5],
    ['zstd.feather', 0.9],
    ['stream.arrows', 0.3],
    ['pandas.parquet', 0],
    ['none.feather', 0],
  ])('%s of which a part is there is refused', async (name, share) => {
    const bytes = await file(name);
    await expect(readTable(bytes.subarray(0, bytes.length * share), formatOf(name))).rejects.toThrow('cannot be read');
  });
});

describe('LZ4 frames', () => {
  it('are refused when they end early, or refer to what is not there', () => {
    const frame = (...block: number[]): Uint8Array =>
      Uint8Array.of(4, 0x22, 0x4d, 0x18, 0x40, 0x40, 0, block.length, 0, 0, 0, ...block, 0, 0, 0, 0);
    expect([...decodeLz4Frame(frame(0x32, 1, 2, 3, 3, 0, 0x00))]).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
    expect(() => decodeLz4Frame(frame(0x32, 1, 2, 3, 4, 0, 0x00))).toThrow('before its beginning');
    expect(() => decodeLz4Frame(frame(0xf0))).toThrow('ends early');
    expect(() => decodeLz4Frame(frame(0x32, 1, 2))).toThrow('ends early');
    expect(() => decodeLz4Frame(frame(1, 2, 3).subarray(0, 12))).toThrow('ends early');
    expect(() => decodeLz4Frame(Uint8Array.of(1, 2, 3))).toThrow('no LZ4 frame');
  });

  it('are refused when they hold another number of bytes than they say', () => {
    const frame = (bytes: number): Uint8Array =>
      Uint8Array.of(4, 0x22, 0x4d, 0x18, 0x48, 0x40, bytes, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0x20, 1, 2, 0, 0, 0, 0);
    expect([...decodeLz4Frame(frame(2))]).toEqual([1, 2]);
    for (const bytes of [1, 3]) expect(() => decodeLz4Frame(frame(bytes))).toThrow(`holds 2 bytes, and says ${bytes}`);
  });
});

describe('results', () => {
  const answered = { predictionId: '0-a', route: 'main' };
  const results: readonly RowResult[] = [
    { row: 0, ...answered, outputs: { label: 1, probabilities: [0.25, 0.75], name: 'a, "b"' } },
    { row: 1, error: { code: 'INVALID_ARGUMENT', message: 'no\nnumber' } },
    { row: 2, ...answered, outputs: { label: 0, probabilities: [0.5, 0.5], name: 'ü' } },
  ];

  it.each<[ResultFormat, (bytes: Uint8Array) => Promise<readonly Readonly<Record<string, unknown>>[]>]>([
    [
      'parquet',
      async (bytes) => {
        const { parquetReadObjects } = await import('hyparquet');
        return await parquetReadObjects({ file: bytes.slice().buffer });
      },
    ],
    [
      'arrow',
      async (bytes) => {
        const { tableFromIPC } = await import('apache-arrow');
        return tableFromIPC(bytes)
          .toArray()
          .map((row: { toJSON(): Record<string, unknown> }) => row.toJSON());
      },
    ],
  ])('are a table in %s, a column for each output, with what is wrong beside it', async (format, rowsOf) => {
    const none = { error_code: null, error_message: null };
    expect(await rowsOf(await resultFile(results, format))).toEqual([
      {
        row: 0,
        prediction_id: '0-a',
        route: 'main',
        label: 1,
        'probabilities.0': 0.25,
        'probabilities.1': 0.75,
        name: 'a, "b"',
        ...none,
      },
      {
        row: 1,
        prediction_id: null,
        route: null,
        label: null,
        'probabilities.0': null,
        'probabilities.1': null,
        name: null,
        error_code: 'INVALID_ARGUMENT',
        error_message: 'no\nnumber',
      },
      {
        row: 2,
        prediction_id: '0-a',
        route: 'main',
        label: 0,
        'probabilities.0': 0.5,
        'probabilities.1': 0.5,
        name: 'ü',
        ...none,
      },
    ]);
  });

  it('have the types of the outputs in Parquet and Arrow', async () => {
    const most = { i64: '9223372036854775807', u64: '18446744073709551615', u32: 4294967295, u8: 255, i8: -128 };
    const least = { i64: '-9223372036854775808', u64: 0, u32: 0, u8: 0, i8: 127 };
    const rows: readonly RowResult[] = [
      { row: 0, ...answered, outputs: { ...most, label: 7, f32: [0.5, 'NaN'], f64: 'Infinity', flag: true, odd: 1 } },
      { row: 1, error: { code: 'INVALID_ARGUMENT', message: 'no' } },
      { row: 2, ...answered, outputs: { ...least, label: 3, f32: [1, 2], f64: 0.1, flag: false, odd: 0.5 } },
    ];
    const datatypes = {
      ...{ i64: 'INT64', u64: 'UINT64', u32: 'UINT32', u8: 'UINT8', i8: 'INT8' },
      // `odd` came with two datatypes, or with one that its values are not of: they decide
      ...{ label: 'INT64', f32: 'FP32', f64: 'FP64', flag: 'BOOL', odd: 'INT32' },
    };
    const { tableFromIPC } = await import('apache-arrow');
    const arrow = tableFromIPC(await resultFile(rows, 'arrow', datatypes));
    const types = Object.fromEntries(arrow.schema.fields.map(({ name, type }) => [name, String(type)]));
    expect(types).toMatchObject({
      ...{ row: 'Int32', i64: 'Int64', u64: 'Uint64', u32: 'Uint32', u8: 'Uint8', i8: 'Int8', label: 'Int64' },
      ...{ 'f32.0': 'Float32', 'f32.1': 'Float32', f64: 'Float64', flag: 'Bool', odd: 'Float64' },
    });
    const { parquetMetadata, parquetReadObjects } = await import('hyparquet');
    const file = (await resultFile(rows, 'parquet', datatypes)).slice().buffer;
    const physical = parquetMetadata(file).schema.map(({ name, type, converted_type: meaning }) => [
      name,
      { type, meaning },
    ]);
    expect(Object.fromEntries(physical)).toMatchObject({
      ...{ i64: { type: 'INT64' }, u64: { type: 'INT64', meaning: 'UINT_64' }, u32: { type: 'INT64' } },
      ...{
        u8: { type: 'INT32', meaning: 'UINT_8' },
        i8: { type: 'INT32', meaning: 'INT_8' },
        label: { type: 'INT64' },
      },
      ...{ 'f32.0': { type: 'FLOAT' }, f64: { type: 'DOUBLE' }, flag: { type: 'BOOLEAN' }, odd: { type: 'DOUBLE' } },
    });
    const whole = { i64: 2n ** 63n - 1n, u64: 2n ** 64n - 1n, u8: 255, i8: -128, label: 7n };
    const [first, second, third] = await parquetReadObjects({ file });
    expect(first).toMatchObject({ ...whole, u32: 4294967295n, 'f32.0': 0.5, 'f32.1': Number.NaN, f64: Infinity });
    expect(second).toMatchObject({ i64: null, u8: null, f64: null, flag: null });
    expect(third).toMatchObject({ i64: -(2n ** 63n), u64: 0n, label: 3n, f64: 0.1, flag: false, odd: 0.5 });
    expect(arrow.get(0)?.toJSON()).toMatchObject({ ...whole, u32: 4294967295, 'f32.1': Number.NaN });
    expect(arrow.get(2)?.toJSON()).toMatchObject({ i64: -(2n ** 63n), label: 3n, odd: 0.5 });
  });

  it('tell an output from a column of the result that has its name', async () => {
    const outputs = { row: 'x', route: 1.5, 'output.route': 2, error_code: true };
    const [, values] = Buffer.from(await resultFile([{ row: 0, ...answered, outputs }], 'csv'))
      .toString()
      .split('\n');
    expect(values).toBe('0,0-a,main,x,1.5,2,true,,');
    const { tableFromIPC } = await import('apache-arrow');
    const [row] = tableFromIPC(await resultFile([{ row: 0, ...answered, outputs }], 'arrow')).toArray() as [
      { toJSON(): Record<string, unknown> },
    ];
    expect(row.toJSON()).toEqual({
      ...{ row: 0, prediction_id: '0-a', route: 'main', error_code: null, error_message: null },
      ...{ 'output.row': 'x', 'output.output.route': 1.5, 'output.route': 2, 'output.error_code': true },
    });
  });

  it('are lines of CSV with quotes where they are needed', async () => {
    expect(
      Buffer.from(await resultFile(results, 'csv'))
        .toString()
        .split('\n'),
    ).toEqual([
      'row,prediction_id,route,label,probabilities.0,probabilities.1,name,error_code,error_message',
      '0,0-a,main,1,0.25,0.75,"a, ""b""",,',
      '1,,,,,,,INVALID_ARGUMENT,"no',
      'number"',
      '2,0-a,main,0,0.5,0.5,ü,,',
      '',
    ]);
  });

  it.each<ResultFormat>(['jsonl', 'csv', 'parquet', 'arrow'])('of no rows are a file of %s too', async (format) => {
    const bytes = await resultFile([], format);
    expect(bytes.length).toBeGreaterThanOrEqual(format === 'jsonl' ? 0 : 20);
  });
});
