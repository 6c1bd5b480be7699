/** What the model answers, as columns of numbers, and which of them is explained. */
import type { Tensor } from '../../../runtime/ports/index.ts';
import { floatOfHalf } from '../../../runtime/tensors/half-float.ts';
import { NotAssessable } from '../reference-sample.ts';

/** One output of a batch of rows. */
interface OutputTable {
  readonly name: string;
  readonly floating: boolean;
  readonly width: number;
  readonly values: ArrayLike<number>;
}

/** Which column is explained, and by what the class of a row is known. */
export interface Explained {
  /** Such as `price`, or `probabilities[1]`. */
  readonly name: string;
  readonly tensor: string;
  readonly column: number;
  /** Scores of classes: the class is the largest. */
  readonly scores: string | undefined;
  /** Labels of classes, where there are no scores. */
  readonly labels: string | undefined;
}

/** @throws NotAssessable when the deployment gives nothing that can be explained, or not what was asked for. */
export function chooseOutput(answer: readonly Tensor[], rows: number, wanted: string, main: string): Explained {
  const tables = tablesOf(answer, rows);
  const scores = tables.find(({ floating, width }) => floating && width > 1);
  const singles = tables.filter(({ width }) => width === 1);
  const labels = singles.find(({ floating }) => !floating);
  const classes = { scores: scores?.name, labels: scores === undefined ? labels?.name : undefined };
  if (wanted !== '') {
    const found = columnNames(tables).find(({ name }) => name === wanted);
    if (found !== undefined) return { ...found, ...classes };
    const list = columnNames(tables).map(({ name }) => name);
    throw new NotAssessable(`the answer has no column '${wanted}'; it has ${list.slice(0, 50).join(', ')}`);
  }
  if (scores !== undefined) {
    const column = largest(scores, 0);
    return { name: `${scores.name}[${column}]`, tensor: scores.name, column, ...classes };
  }
  const single = singles.find(({ name }) => name === main) ?? singles[0];
  if (single === undefined) throw new NotAssessable('the answer has no column of numbers that could be explained');
  return { name: single.name, tensor: single.name, column: 0, ...classes };
}

/** The explained column of each row. */
export function columnOf(answer: readonly Tensor[], rows: number, { tensor, column }: Explained): Float64Array {
  const table = tableNamed(answer, rows, tensor);
  return Float64Array.from({ length: rows }, (_, row) => table.values[row * table.width + column] ?? Number.NaN);
}

/** The class of each row; undefined for answers that are numbers. */
export function classesOf(answer: readonly Tensor[], rows: number, of: Explained): Float64Array | undefined {
  const name = of.scores ?? of.labels;
  if (name === undefined) return undefined;
  const table = tableNamed(answer, rows, name);
  return Float64Array.from({ length: rows }, (_, row) =>
    of.scores === undefined ? (table.values[row] ?? Number.NaN) : largest(table, row),
  );
}

/** How far a class is ahead of the best other one; without scores 1 for the class, −1 for another. */
export function marginsOf(answer: readonly Tensor[], rows: number, of: Explained, own: number): Float64Array {
  const { scores } = of;
  if (scores === undefined) {
    const classes = classesOf(answer, rows, of) ?? new Float64Array(rows);
    return classes.map((value) => (value === own ? 1 : -1));
  }
  const { values, width } = tableNamed(answer, rows, scores);
  return Float64Array.from({ length: rows }, (_, row) => {
    let other = -Infinity;
    for (let k = 0; k < width; k++) if (k !== own) other = Math.max(other, values[row * width + k] ?? -Infinity);
    return (values[row * width + own] ?? 0) - other;
  });
}

function columnNames(tables: readonly OutputTable[]): { name: string; tensor: string; column: number }[] {
  return tables.flatMap(({ name, width }) =>
    Array.from({ length: width }, (_, column) => ({
      name: width === 1 ? name : `${name}[${column}]`,
      tensor: name,
      column,
    })),
  );
}

function tablesOf(answer: readonly Tensor[], rows: number): OutputTable[] {
  return answer.flatMap((tensor) => tableOf(tensor, rows) ?? []);
}

function tableNamed(answer: readonly Tensor[], rows: number, name: string): OutputTable {
  const tensor = answer.find((one) => one.name === name);
  const table = tensor === undefined ? undefined : tableOf(tensor, rows);
  if (table !== undefined) return table;
  throw new NotAssessable(`output '${name}' has no line for each of ${rows} rows, as it has for the explained one`);
}

function tableOf({ name, datatype, data }: Tensor, rows: number): OutputTable | undefined {
  const width = data.length / rows;
  if (!(width >= 1) || !Number.isInteger(width)) return undefined;
  return { name, floating: datatype.startsWith('FP'), width, values: numbersOf(datatype, data) };
}

/** Texts become codes that follow from the text alone, so that equal texts are equal in every batch. */
function numbersOf(datatype: string, data: Tensor['data']): ArrayLike<number> {
  if (datatype === 'FP16') return Array.from(data as Uint16Array, floatOfHalf);
  if (datatype === 'BYTES') return Array.from(data as readonly string[], codeOf);
  return Array.from(data as ArrayLike<number | bigint | boolean>, Number);
}

function codeOf(text: string): number {
  let code = 0;
  for (let index = 0; index < text.length; index++) code = (code * 131 + text.charCodeAt(index)) % 9_007_199_254_739;
  return code;
}

function largest({ values, width }: OutputTable, row: number): number {
  let best = 0;
  for (let k = 1; k < width; k++) {
    if ((values[row * width + k] ?? -Infinity) > (values[row * width + best] ?? -Infinity)) best = k;
  }
  return best;
}
