/** Comma-separated values (RFC 4180): quoted fields may hold commas, line breaks and doubled quotes. */
import { MillraceError } from '../ports/index.ts';

export interface CsvTable {
  readonly columns: readonly string[];
  /** Texts; as many as there are columns. */
  readonly rows: readonly (readonly string[])[];
}

/** The first line names the columns. INVALID_ARGUMENT says the line that does not fit. */
export function parseCsv(text: string): CsvTable {
  const records = recordsOf(text.startsWith('\uFEFF') ? text.slice(1) : text);
  const [columns, ...rows] = records;
  if (columns === undefined) throw wrong('it is empty: the first line names the columns');
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`column '${twice.slice(0, 80)}' is there twice`);
  const uneven = rows.findIndex((row) => row.length !== columns.length);
  if (uneven !== -1) {
    throw wrong(`row ${uneven + 1} has ${rows[uneven]?.length} fields, the first line has ${columns.length}`);
  }
  return { columns, rows };
}

function recordsOf(text: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  let at = 0;
  while (at < text.length) {
    const [field, end] = text[at] === '"' ? quoted(text, at, records.length) : plain(text, at);
    record.push(field);
    at = end;
    if (text[at] === ',') {
      at += 1;
      // A comma at the very end is followed by an empty field.
      if (at < text.length && text[at] !== '\n' && text[at] !== '\r') continue;
      record.push('');
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    // A line without anything is no row.
    if (record.length > 1 || record[0] !== '') records.push(record);
    record = [];
  }
  return records;
}

function plain(text: string, begin: number): readonly [string, number] {
  let end = begin;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '\r') end += 1;
  return [text.slice(begin, end), end];
}

function quoted(text: string, begin: number, row: number): readonly [string, number] {
  let field = '';
  for (let at = begin + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote === -1) throw wrong(`row ${row}: a quoted field has no end`);
    field += text.slice(at, quote);
    if (text[quote + 1] !== '"') {
      const next = text[quote + 1];
      if (next === undefined || next === ',' || next === '\n' || next === '\r') return [field, quote + 1];
      throw wrong(`row ${row}: '${next}' behind a quoted field`);
    }
    field += '"';
    at = quote + 2;
  }
}

function wrong(problem: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', `CSV: ${problem}`);
}
