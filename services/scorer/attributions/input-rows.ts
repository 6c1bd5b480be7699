/** The rows of a request as numbers, and numbers as the tensors that the model takes. */
import { type Datatype, MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { castTensor } from '../../../runtime/tensors/row-values.ts';
import type { FeatureSpec } from '../../../schemas/deployment-document.ts';
import type { Tensor as EventTensor } from '../../../schemas/events.ts';
import { tableOf } from '../../../topologies/tensor-table.ts';
import { NotAssessable } from '../reference-sample.ts';

export interface InputRows {
  /** Names of the features where the deployment has them, else of the columns. */
  readonly names: readonly string[];
  /** As the request calls them. */
  readonly columns: readonly string[];
  readonly categorical: readonly number[];
  /** Columns that may hold any number. */
  readonly continuous: readonly number[];
  readonly explained: readonly number[];
  /** The numbers as the model sees them. */
  held(rows: readonly (readonly number[])[]): readonly (readonly number[])[];
  tensors(rows: readonly (readonly number[])[]): readonly Tensor[];
}

/** @throws NotAssessable when the inputs are no table of numbers. */
export function inputRows(
  inputs: readonly EventTensor[],
  rows: number,
  row: number,
  features: readonly FeatureSpec[],
): InputRows {
  const table = tableOf(inputs, rows);
  if (table === undefined)
    throw new NotAssessable('the inputs of the prediction are no table with a line for each row');
  if (row >= rows) throw new NotAssessable(`the prediction has ${rows} rows, counted from 0; there is no row ${row}`);
  const datatypes = table.names.map((_, column) => datatypeAt(inputs, table.names, column));
  const hold = (line: readonly number[]): readonly number[] =>
    line.map((value, column) => (datatypes[column] === 'FP32' ? Math.fround(value) : value));
  const explained = hold(table.cells(row));
  const unknown = explained.findIndex((value) => !Number.isFinite(value));
  if (unknown >= 0) {
    throw new NotAssessable(`'${table.names[unknown]}' of the row is no number: only rows of numbers can be explained`);
  }
  const named = features.length === explained.length ? features : [];
  const all = explained.map((_, column) => column);
  const categorical = all.filter((column) => named[column]?.kind === 'categorical');
  return {
    names: table.names.map((name, column) => named[column]?.name ?? name),
    columns: table.names,
    categorical,
    continuous: all.filter((column) => !categorical.includes(column) && datatypes[column]?.startsWith('FP') === true),
    explained,
    held: (lines) => lines.map(hold),
    tensors: (lines) => tensorsOf(inputs, lines),
  };
}

function datatypeAt(inputs: readonly EventTensor[], names: readonly string[], column: number): string {
  const name = names[column] ?? '';
  return inputs.find((tensor) => tensor.name === name || name.startsWith(`${tensor.name}[`))?.datatype ?? '';
}

function tensorsOf(inputs: readonly EventTensor[], lines: readonly (readonly number[])[]): readonly Tensor[] {
  let from = 0;
  return inputs.map(({ name, datatype, shape }): Tensor => {
    const rest = shape.slice(1);
    const width = rest.reduce((product, size) => product * size, 1);
    const data = Float64Array.from(lines.flatMap((line) => line.slice(from, from + width)));
    from += width;
    const whole: Tensor = { name, datatype: 'FP64', shape: [lines.length, ...rest], data };
    const held = castTensor(whole, datatype as Datatype);
    if (held !== undefined) return held;
    throw new MillraceError(
      'UNSUPPORTED',
      `input '${name}' (${datatype}) cannot hold the numbers that it is asked about`,
    );
  });
}
