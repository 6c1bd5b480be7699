/**
 * Rows that wait to be a batch of `observations`: full, or when its first row is a second old. Adding a row copies a piece of about ten,
 * not all of them.
 */
import type { Effects, InputEvent, Output } from '../runtime/engine/topology.ts';
import type { Column, WindowTerms } from '../schemas/events.ts';

/** Rows in a batch; fewer when they are wide. */
const batchRowsMax = 100;
/** About the root of it. */
const pieceRows = 10;
const batchAgeMs = 1_000;
const batchCellsMax = 20_000;
/** Wider rows (images) are counted, not sampled. */
export const columnsMax = 2_000;

export type Row = readonly [
  offset: number,
  predictionId: string,
  route: string,
  rowOfPrediction: number,
  timeMs: number,
  features: readonly number[],
  answers: readonly number[],
];

/** Whose rows they are, and what becomes of them. */
export interface RowSource {
  readonly stream: 'predictions' | 'feedback';
  readonly deployment: string;
  readonly deploymentVersion: number;
  /** The deployment's own window; rows 0: none. */
  readonly window: readonly [rows: number, minRows: number, maxAgeMs: number];
  readonly windows: readonly WindowTerms[];
  readonly online: readonly string[];
  /** 0, or absent in state that is older: no statistics. */
  readonly statisticsEveryMs?: number;
  readonly statisticsLatenessMs?: number;
  readonly features: readonly string[];
  readonly answers: readonly string[];
}

export interface PendingRows extends RowSource {
  /** Number of rows. */
  readonly rows: number;
  readonly pieces: readonly (readonly Row[])[];
}

type Place = Pick<InputEvent<'predictions'>, 'partition' | 'timeMs'>;

export function gatherRows(
  key: string,
  before: PendingRows | undefined,
  added: readonly Row[],
  source: RowSource,
  { partition, timeMs }: Place,
): Effects {
  const emit: Output[] = [];
  let held = before;
  if (held !== undefined && !(sameNames(held.features, source.features) && sameNames(held.answers, source.answers))) {
    emit.push(batchOf(held, rowsOf(held), partition));
    held = undefined;
  }
  const pending: PendingRows = {
    ...source,
    rows: (held?.rows ?? 0) + added.length,
    pieces: withRows(held?.pieces ?? [], added),
  };
  const cells = source.features.length + source.answers.length + 1;
  const size = Math.max(1, Math.min(batchRowsMax, Math.floor(batchCellsMax / cells)));
  const taken = pending.rows - (pending.rows % size);
  const rows = taken === 0 ? [] : rowsOf(pending);
  for (let from = 0; from < taken; from += size) {
    emit.push(batchOf(pending, rows.slice(from, from + size), partition));
  }
  const count = { rowsSampled: added.length, ...(emit.length > 0 ? { batches: emit.length } : {}) };
  if (taken === pending.rows) return { delete: [key], clearTimers: [key], emit, count };
  const rest = taken === 0 ? pending : { ...pending, rows: pending.rows - taken, pieces: [rows.slice(taken)] };
  const begins = held === undefined || taken > 0;
  return {
    put: [[key, rest]],
    ...(begins ? { setTimers: [{ name: key, dueMs: timeMs + batchAgeMs, reads: { keys: [key] } }] } : {}),
    emit,
    count,
  };
}

/** The timer of `key`: what waits is a batch now. */
export function batchWhatWaits(key: string, pending: PendingRows | undefined, partition: number): Effects {
  if (pending === undefined || pending.rows === 0) return {};
  return { delete: [key], emit: [batchOf(pending, rowsOf(pending), partition)], count: { batches: 1 } };
}

function withRows(pieces: readonly (readonly Row[])[], added: readonly Row[]): readonly (readonly Row[])[] {
  const last = pieces.at(-1) ?? [];
  const fits = last.length < pieceRows ? Math.min(added.length, pieceRows - last.length) : 0;
  const more =
    fits > 0 && pieces.length > 0 ? [...pieces.slice(0, -1), [...last, ...added.slice(0, fits)]] : [...pieces];
  for (let from = pieces.length > 0 ? fits : 0; from < added.length; from += pieceRows)
    more.push(added.slice(from, from + pieceRows));
  return more;
}

function batchOf(pending: PendingRows, rows: readonly Row[], partition: number): Output {
  const {
    stream,
    deployment,
    deploymentVersion,
    window,
    windows,
    online,
    features,
    answers,
    statisticsEveryMs = 0,
    statisticsLatenessMs = 0,
  } = pending;
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
      columns: columns(features, (row) => row[5]),
      outputs: columns(answers, (row) => row[6]),
      stream,
      times: rows.map((row) => row[4]),
      rowsOfPrediction: rows.some((row) => row[3] !== 0) ? rows.map((row) => row[3]) : [],
      windows,
      online,
      statisticsEveryMs,
      statisticsLatenessMs,
    },
  };
}

function rowsOf({ pieces }: PendingRows): readonly Row[] {
  return ([] as Row[]).concat(...pieces);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}
