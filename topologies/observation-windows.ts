/**
 * Windows of rows over all source partitions. A window closes when it has as many rows as the deployment asks for, or when its first row
 * is `maxAgeMs` old and it has at least `minRows`; a batch that overflows it is split. One that stays below `minRows` is closed all the
 * same after ten times that age, so that a quiet stream gets an answer too ("too few rows").
 *
 * A window names, per source partition, the first and last offset of its rows, and the prediction of each row: its verdict can be replayed.
 */
import { type Effects, type InputEvent, nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { Column, ObservationsSampled, OffsetRange, WindowClosed } from '../schemas/events.ts';

export const observationWindows: Topology<'observations'> = {
  name: 'observation-windows',
  version: 1,
  input: 'observations',
  outputs: ['observations'],
  summary: 'merges the batches of all partitions into windows of rows per deployment',

  reads(event) {
    return event.type === 'observations-sampled' ? { keys: [keyOf(event.data)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'observations-sampled') return nothing;
    const key = keyOf(event.data);
    return merge(key, state.get<Window>(key), event.data, event);
  },

  onTimer({ name, timeMs }, state) {
    const window = state.get<Window>(name);
    if (window === undefined) return nothing;
    const { openedAt, rows, minRows, maxAgeMs } = window;
    if (rows < minRows && timeMs < openedAt + lastAges * maxAgeMs) {
      return { setTimers: [timerOf(name, openedAt + lastAges * maxAgeMs)] };
    }
    return { delete: [name], emit: [closed(window, timeMs, 'age')], count: { windows: 1 } };
  },
};

/** Ages after which even a window with too few rows is closed. */
const lastAges = 10;
/** Numbers that one window may hold, whatever the deployment asks for. */
export const windowCellsMax = 500_000;

interface Window {
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly windowId: string;
  readonly openedAt: number;
  readonly minRows: number;
  readonly maxAgeMs: number;
  readonly rows: number;
  readonly parts: readonly Part[];
}

/** Rows of one batch, or of a piece of it. */
type Part = Pick<ObservationsSampled, 'partition' | 'offsets' | 'predictionIds' | 'routes' | 'columns' | 'outputs'>;

type Place = Pick<InputEvent<'observations'>, 'offset' | 'timeMs' | 'partition'>;

function merge(key: string, before: Window | undefined, batch: ObservationsSampled, place: Place): Effects {
  const { timeMs } = place;
  const emit: Output[] = [];
  let window = before;
  if (window !== undefined && !sameLayout(window, batch)) {
    emit.push(closed(window, timeMs, 'layout'));
    window = undefined;
  }
  const capacity = rowsThatFit(batch);
  const batchRows = batch.predictionIds.length;
  for (let from = 0; from < batchRows; ) {
    window ??= opened(batch, place, from);
    const to = Math.min(batchRows, from + capacity - window.rows);
    window = { ...window, rows: window.rows + to - from, parts: [...window.parts, piece(batch, from, to)] };
    from = to;
    if (window.rows >= capacity) {
      emit.push(closed(window, timeMs, capacity < batch.windowRows ? 'room' : 'rows'));
      window = undefined;
    }
  }
  if (window !== undefined && timeMs >= window.openedAt + window.maxAgeMs && window.rows >= window.minRows) {
    emit.push(closed(window, timeMs, 'age'));
    window = undefined;
  }
  const count = { rowsWindowed: batchRows, ...(emit.length > 0 ? { windows: emit.length } : {}) };
  if (window === undefined) return { delete: [key], clearTimers: [key], emit, count };
  const isNew = window.windowId !== before?.windowId;
  return {
    put: [[key, window]],
    ...(isNew ? { setTimers: [timerOf(key, window.openedAt + window.maxAgeMs)] } : {}),
    emit,
    count,
  };
}

function opened(batch: ObservationsSampled, place: Place, row: number): Window {
  const { deployment, deploymentVersion } = batch;
  return {
    deployment,
    deploymentVersion,
    windowId: derivedId(place.timeMs, 'window', deployment, deploymentVersion, place.partition, place.offset, row),
    openedAt: place.timeMs,
    minRows: batch.windowMinRows,
    maxAgeMs: batch.windowMaxAgeMs,
    rows: 0,
    parts: [],
  };
}

function closed(window: Window, closedAt: number, closedBy: 'rows' | 'age' | 'room' | 'layout'): Output {
  const { deployment, deploymentVersion, windowId, rows, openedAt, parts } = window;
  const data: WindowClosed = {
    deployment,
    deploymentVersion,
    windowId,
    rows,
    openedAt,
    closedAt,
    closedBy,
    sources: sourcesOf(parts),
    columns: joined(parts.map(({ columns }) => columns)),
    outputs: joined(parts.map(({ outputs }) => outputs)),
    predictionIds: parts.flatMap(({ predictionIds }) => predictionIds),
    routes: parts.flatMap(({ routes }) => routes),
  };
  return { topic: 'observations', type: 'window-closed', data, key: deployment };
}

function sourcesOf(parts: readonly Part[]): OffsetRange[] {
  const ranges = new Map<number, { firstOffset: number; lastOffset: number }>();
  for (const { partition, offsets } of parts) {
    const range = ranges.get(partition) ?? { firstOffset: Number.MAX_SAFE_INTEGER, lastOffset: -1 };
    for (const offset of offsets) {
      range.firstOffset = Math.min(range.firstOffset, offset);
      range.lastOffset = Math.max(range.lastOffset, offset);
    }
    ranges.set(partition, range);
  }
  return [...ranges].sort(([a], [b]) => a - b).map(([partition, range]) => ({ partition, ...range }));
}

function joined(tables: readonly (readonly Column[])[]): Column[] {
  return (tables[0] ?? []).map(({ name }, column) => ({
    name,
    values: tables.flatMap((table) => table[column]?.values ?? []),
  }));
}

function piece({ partition, offsets, predictionIds, routes, columns, outputs }: Part, from: number, to: number): Part {
  const cut = (table: readonly Column[]): Column[] =>
    table.map(({ name, values }) => ({ name, values: values.slice(from, to) }));
  return {
    partition,
    offsets: offsets.slice(from, to),
    predictionIds: predictionIds.slice(from, to),
    routes: routes.slice(from, to),
    columns: cut(columns),
    outputs: cut(outputs),
  };
}

function rowsThatFit({ windowRows, columns, outputs }: ObservationsSampled): number {
  const fit = Math.floor(windowCellsMax / Math.max(1, columns.length + outputs.length));
  return Math.max(1, Math.min(windowRows, fit));
}

function sameLayout({ parts }: Window, batch: ObservationsSampled): boolean {
  const first = parts[0];
  return first === undefined || (sameNames(first.columns, batch.columns) && sameNames(first.outputs, batch.outputs));
}

function sameNames(a: readonly Column[], b: readonly Column[]): boolean {
  return a.length === b.length && a.every(({ name }, index) => name === b[index]?.name);
}

function timerOf(key: string, dueMs: number): { name: string; dueMs: number; reads: { keys: string[] } } {
  return { name: key, dueMs, reads: { keys: [key] } };
}

const keyOf = ({ deployment, deploymentVersion }: ObservationsSampled): string =>
  `w/${deployment}/${deploymentVersion}`;
