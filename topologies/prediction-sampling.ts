/**
 * Rows of predictions as columnar batches for the monitors, one batch per deployment version and source partition: full, or when its
 * first row is a second old.
 *
 * A tensor of one column gives a column under its own name; a tensor `t` of F columns gives `t[0]` … `t[F-1]`, in the order of the
 * request. What a column means is written in the deployment's document (`features`), which the scorer lays beside it. NaN is a missing
 * value; texts that are no numbers count as missing.
 */
import { type Effects, type InputEvent, nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import type { Column, PredictionCompleted, Tensor } from '../schemas/events.ts';
import { numericValue, tensorValues } from './tensor-values.ts';

export const predictionSampling: Topology<'predictions'> = {
  name: 'prediction-sampling',
  version: 1,
  input: 'predictions',
  outputs: ['observations'],
  // A row has no state of its own by which a late repeat would be known.
  idWindow: 10_000,
  summary: 'gathers the rows of predictions into columnar batches per deployment',

  reads(event) {
    return event.type === 'prediction-completed' ? { keys: [keyOf(event.data)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'prediction-completed') return nothing;
    if (!(event.data.terms.windowRows > 0)) return { count: { predictionsNotSampled: 1 } };
    const { inputs, outputs, rows } = event.data;
    const features = columnNames(inputs, rows);
    const answers = columnNames(outputs, rows);
    if (features === undefined || answers === undefined || features.length + answers.length > columnsMax) {
      return { count: { predictionsUnreadable: 1 } };
    }
    const key = keyOf(event.data);
    return gather(key, state.get<Pending>(key), rowsOf(event.data, event.offset), {
      event,
      features,
      answers,
    });
  },

  onTimer({ name, reads: _, partition }, state) {
    const pending = state.get<Pending>(name);
    if (pending === undefined || pending.rows === 0) return nothing;
    return { delete: [name], emit: [batchOf(pending, pending.pieces.flat(), partition)], count: { batches: 1 } };
  },
};

/** Rows in a batch; fewer when they are wide. */
const batchRowsMax = 100;
/** About the root of it. */
const pieceRows = 10;
const batchAgeMs = 1_000;
const batchCellsMax = 20_000;
/** Wider predictions (images) are counted, not sampled. */
const columnsMax = 2_000;

type Row = readonly [
  offset: number,
  predictionId: string,
  route: string,
  features: readonly number[],
  answers: readonly number[],
];

/** Rows that wait to be a batch. */
interface Pending {
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly window: readonly [rows: number, minRows: number, maxAgeMs: number];
  readonly features: readonly string[];
  readonly answers: readonly string[];
  /** Number of rows. */
  readonly rows: number;
  /** The rows, in pieces of about `pieceRows`: adding one copies a piece, not all of them. */
  readonly pieces: readonly (readonly Row[])[];
}

interface Arrival {
  readonly event: InputEvent<'predictions'> & { readonly data: PredictionCompleted };
  readonly features: readonly string[];
  readonly answers: readonly string[];
}

function gather(key: string, before: Pending | undefined, added: readonly Row[], arrival: Arrival): Effects {
  const { event, features, answers } = arrival;
  const emit: Output[] = [];
  let held = before;
  if (held !== undefined && !(sameNames(held.features, features) && sameNames(held.answers, answers))) {
    emit.push(batchOf(held, held.pieces.flat(), event.partition));
    held = undefined;
  }
  const { deployment, deploymentVersion, terms } = event.data;
  const pending: Pending = {
    deployment,
    deploymentVersion,
    window: [terms.windowRows, terms.windowMinRows, terms.windowMaxAgeMs],
    features,
    answers,
    rows: (held?.rows ?? 0) + added.length,
    pieces: added.reduce(withRow, held?.pieces ?? []),
  };
  const size = Math.max(1, Math.min(batchRowsMax, Math.floor(batchCellsMax / (features.length + answers.length + 1))));
  const taken = pending.rows - (pending.rows % size);
  const rows = taken === 0 ? [] : pending.pieces.flat();
  for (let from = 0; from < taken; from += size) {
    emit.push(batchOf(pending, rows.slice(from, from + size), event.partition));
  }
  const count = { rowsSampled: added.length, ...(emit.length > 0 ? { batches: emit.length } : {}) };
  if (taken === pending.rows) return { delete: [key], clearTimers: [key], emit, count };
  const rest = taken === 0 ? pending : { ...pending, rows: pending.rows - taken, pieces: [rows.slice(taken)] };
  const begins = held === undefined || taken > 0;
  return {
    put: [[key, rest]],
    ...(begins ? { setTimers: [{ name: key, dueMs: event.timeMs + batchAgeMs, reads: { keys: [key] } }] } : {}),
    emit,
    count,
  };
}

function withRow(pieces: readonly (readonly Row[])[], row: Row): readonly (readonly Row[])[] {
  const last = pieces.at(-1);
  if (last === undefined || last.length >= pieceRows) return [...pieces, [row]];
  return [...pieces.slice(0, -1), [...last, row]];
}

function batchOf(pending: Pending, rows: readonly Row[], partition: number): Output {
  const { deployment, deploymentVersion, window, features, answers } = pending;
  const columns = (names: readonly string[], cells: (row: Row) => readonly number[]): Column[] =>
    names.map((name, column) => ({ name, values: rows.map((row) => cells(row)[column] ?? Number.NaN) }));
  return {
    topic: 'observations',
    type: 'observations-sampled',
    key: deployment,
    data: {
      deployment,
      deploymentVersion,
      partition,
      offsets: rows.map(([offset]) => offset),
      windowRows: window[0],
      windowMinRows: window[1],
      windowMaxAgeMs: window[2],
      predictionIds: rows.map(([, predictionId]) => predictionId),
      routes: rows.map(([, , route]) => route),
      columns: columns(features, (row) => row[3]),
      outputs: columns(answers, (row) => row[4]),
    },
  };
}

/** Names of the columns that tensors of `rows` rows give; undefined when a tensor is no table of so many rows. */
function columnNames(tensors: readonly Tensor[], rows: number): string[] | undefined {
  const names: string[] = [];
  for (const tensor of tensors) {
    const width = widthOf(tensor, rows);
    if (width === undefined) return undefined;
    if (width === 1) names.push(tensor.name);
    else for (let column = 0; column < width; column++) names.push(`${tensor.name}[${column}]`);
  }
  return names;
}

function widthOf(tensor: Tensor, rows: number): number | undefined {
  const width = tensorValues(tensor).length / rows;
  return rows > 0 && width >= 1 && Number.isInteger(width) && (tensor.shape[0] ?? rows) === rows ? width : undefined;
}

function rowsOf({ predictionId, route, inputs, outputs, rows }: PredictionCompleted, offset: number): Row[] {
  return Array.from({ length: rows }, (_, row) => [
    offset,
    predictionId,
    route,
    cellsOf(inputs, rows, row),
    cellsOf(outputs, rows, row),
  ]);
}

function cellsOf(tensors: readonly Tensor[], rows: number, row: number): number[] {
  const cells: number[] = [];
  for (const tensor of tensors) {
    const values = tensorValues(tensor);
    const width = values.length / rows;
    for (let column = 0; column < width; column++) cells.push(numericValue(values[row * width + column]));
  }
  return cells;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}

const keyOf = ({ deployment, deploymentVersion }: PredictionCompleted): string =>
  `s/${deployment}/${deploymentVersion}`;
