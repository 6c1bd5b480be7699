/** Pieces of batches, as windows hold them, and what a closed window says. */
import type { InputEvent, Output, TimerSpec } from '../../runtime/engine/topology.ts';
import type { Column, ObservationsSampled, OffsetRange, WindowClosed, WindowTerms } from '../../schemas/events.ts';

/** Numbers that one window may hold, whatever the deployment asks for. */
export const windowCellsMax = 500_000;

/** Rows of one batch, or of a piece of it. */
export type Part = Pick<
  ObservationsSampled,
  'partition' | 'offsets' | 'predictionIds' | 'routes' | 'columns' | 'outputs' | 'rowsOfPrediction'
>;

/** Whose window it is. */
export interface WindowOf {
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly terms: WindowTerms;
}

export type Place = Pick<InputEvent<'observations'>, 'offset' | 'timeMs' | 'partition'>;

export type ClosedBy = 'rows' | 'age' | 'time' | 'room' | 'layout';

type About = Omit<
  WindowClosed,
  | 'deployment'
  | 'deploymentVersion'
  | 'stream'
  | 'window'
  | 'sources'
  | 'columns'
  | 'outputs'
  | 'predictionIds'
  | 'routes'
  | 'rows'
>;

/** The rows come by partition, each in the order of the log: so their positions say the order, and a replay has the same rows in it. */
export function closedWindow(
  { deployment, deploymentVersion, terms }: WindowOf,
  all: readonly Part[],
  about: About,
): Output {
  const parts = [...all].sort((a, b) => a.partition - b.partition);
  const data: WindowClosed = {
    deployment,
    deploymentVersion,
    stream: terms.stream,
    window: terms.id,
    ...about,
    rows: rowsOf(parts),
    sources: sourcesOf(parts),
    columns: joined(parts.map(({ columns }) => columns)),
    outputs: joined(parts.map(({ outputs }) => outputs)),
    predictionIds: concatenated(parts.map(({ predictionIds }) => predictionIds)),
    routes: concatenated(parts.map(({ routes }) => routes)),
  };
  return { topic: 'observations', type: 'window-closed', data, key: deployment };
}

export function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { predictionIds }) => sum + predictionIds.length, 0);
}

/** Rows of a partition lie in the order of the log, so each is told by the step from the one before. */
function sourcesOf(parts: readonly Part[]): OffsetRange[] {
  const rows = new Map<number, { offset: number; row: number }[]>();
  for (const { partition, offsets, rowsOfPrediction } of parts) {
    const list = rows.get(partition) ?? [];
    for (const [index, offset] of offsets.entries()) list.push({ offset, row: rowsOfPrediction[index] ?? 0 });
    rows.set(partition, list);
  }
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map(([partition, list]) => {
      const offsets = list.map(({ offset }) => offset);
      const firstOffset = offsets.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER);
      return {
        partition,
        firstOffset,
        lastOffset: offsets.reduce((a, b) => Math.max(a, b), -1),
        offsets: offsets.map((offset, index) => offset - (offsets[index - 1] ?? firstOffset)),
        rows: list.some(({ row }) => row !== 0) ? list.map(({ row }) => row) : [],
      };
    });
}

function joined(tables: readonly (readonly Column[])[]): Column[] {
  return (tables[0] ?? []).map(({ name }, column) => ({
    name,
    values: concatenated(tables.map((table) => table[column]?.values ?? [])),
  }));
}

/** `flatMap` takes very much longer: it looks at each value, whether it is a list. */
function concatenated<T>(lists: readonly (readonly T[])[]): T[] {
  return ([] as T[]).concat(...lists);
}

/** Rows [from, to). */
export function piece(part: Part, from: number, to: number): Part {
  return chosen(part, (values) => values.slice(from, to));
}

/** The rows of these places. */
export function picked(part: Part, places: readonly number[]): Part {
  return chosen(part, (values) => places.flatMap((place) => values.slice(place, place + 1)));
}

function chosen(part: Part, of: <T>(values: readonly T[]) => readonly T[]): Part {
  const { partition, offsets, predictionIds, routes, columns, outputs, rowsOfPrediction } = part;
  const cut = (table: readonly Column[]): Column[] => table.map(({ name, values }) => ({ name, values: of(values) }));
  return {
    partition,
    offsets: of(offsets),
    predictionIds: of(predictionIds),
    routes: of(routes),
    columns: cut(columns),
    outputs: cut(outputs),
    rowsOfPrediction: of(rowsOfPrediction),
  };
}

/** The last `rows` rows. */
export function lastRows(parts: readonly Part[], rows: number): readonly Part[] {
  const kept: Part[] = [];
  let wanted = rows;
  for (let index = parts.length - 1; index >= 0 && wanted > 0; index--) {
    const part = parts[index] as Part;
    const has = part.predictionIds.length;
    kept.unshift(has <= wanted ? part : piece(part, has - wanted, has));
    wanted -= Math.min(has, wanted);
  }
  return kept;
}

export function rowsThatFit(batch: Pick<Part, 'columns' | 'outputs'>): number {
  return Math.max(1, Math.floor(windowCellsMax / Math.max(1, batch.columns.length + batch.outputs.length)));
}

export function sameLayout(first: Part | undefined, batch: Part): boolean {
  return first === undefined || (sameNames(first.columns, batch.columns) && sameNames(first.outputs, batch.outputs));
}

function sameNames(a: readonly Column[], b: readonly Column[]): boolean {
  return a.length === b.length && a.every(({ name }, index) => name === b[index]?.name);
}

export function timerOf(key: string, dueMs: number): TimerSpec {
  return { name: key, dueMs, reads: { keys: [key] } };
}
