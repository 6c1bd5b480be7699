import { readFileSync } from 'node:fs';
import type { Matrix } from '../diamonds/features.ts';

export interface WineData {
  /** The 11 measurements, in the order of the file. */
  readonly columns: readonly string[];
  readonly x: Matrix;
  /** Score of the tasters, 0 to 10. */
  readonly quality: Float64Array;
}

/** All 4,898 wines of the file beside this one, in its order. */
export function readWines(): WineData {
  return parseWines(readFileSync(new URL('wine-quality.csv', import.meta.url), 'utf8'));
}

/** @throws RangeError naming the first line whose values are not as many numbers as there are columns. */
export function parseWines(csv: string): WineData {
  const [header = '', ...lines] = csv.trimEnd().split(/\r?\n/);
  const names = header.split(',').map((name) => name.replaceAll('"', ''));
  const columns = names.slice(0, -1);
  const values = new Float64Array(lines.length * columns.length);
  const quality = new Float64Array(lines.length);
  lines.forEach((line, row) => {
    const numbers = line.split(',').map(Number);
    if (numbers.length !== names.length || !numbers.every(Number.isFinite)) {
      throw new RangeError(`wine: line ${row + 2}: expected ${names.length} numbers, got '${line}'`);
    }
    values.set(numbers.slice(0, -1), row * columns.length);
    quality[row] = numbers.at(-1) ?? 0;
  });
  return { columns, x: { values, rows: lines.length, columns: columns.length }, quality };
}

/** The given rows, in that order. */
export function selectWines(data: WineData, rows: ArrayLike<number>): WineData {
  const { columns } = data.x;
  const values = new Float64Array(rows.length * columns);
  const quality = Float64Array.from(rows, (row) => data.quality[row] ?? 0);
  Array.from(rows).forEach((row, i) => {
    values.set(data.x.values.subarray(row * columns, (row + 1) * columns), i * columns);
  });
  return { columns: data.columns, x: { values, rows: rows.length, columns }, quality };
}
