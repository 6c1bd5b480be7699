import type { Effects, Output } from '../../runtime/engine/topology.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { ObservationsSampled, WindowTerms } from '../../schemas/events.ts';
import {
  type ClosedBy,
  closedWindow,
  lastRows,
  type Part,
  piece,
  type Place,
  rowsOf,
  rowsThatFit,
  sameLayout,
  timerOf,
  type WindowOf,
} from './parts.ts';

export interface CountState extends WindowOf {
  readonly kind: 'count';
  readonly windowId: string;
  readonly openedAt: number;
  readonly rows: number;
  /** Of them, rows that were in no window yet. */
  readonly fresh: number;
  readonly parts: readonly Part[];
}

/** Ages after which even a window with too few rows is closed. */
const lastAges = 10;

export function foldByCount(
  key: string,
  before: CountState | undefined,
  batch: ObservationsSampled,
  first: number,
  terms: WindowTerms,
  place: Place,
): Effects {
  const { timeMs } = place;
  const emit: Output[] = [];
  let window = before;
  if (window !== undefined && !sameLayout(window.parts[0], batch)) {
    if (window.fresh > 0) emit.push(closed(window, timeMs, 'layout'));
    window = undefined;
  }
  const capacity = Math.min(terms.rows, rowsThatFit(batch));
  const every = Math.min(terms.everyRows, capacity);
  const batchRows = batch.predictionIds.length;
  for (let from = first; from < batchRows; ) {
    if (window === undefined || window.fresh === 0) window = opened(batch, terms, place, from, window?.parts ?? []);
    const to = Math.min(batchRows, from + capacity - window.rows);
    window = add(window, piece(batch, from, to));
    from = to;
    if (window.rows >= capacity) {
      emit.push(closed(window, timeMs, capacity < terms.rows ? 'room' : 'rows'));
      window = slid(window, capacity - every);
    }
  }
  if (window !== undefined && isOld(window, timeMs)) {
    emit.push(closed(window, timeMs, 'age'));
    window = slid(window, capacity - every);
  }
  const count = emit.length > 0 ? { windows: emit.length } : {};
  if (window === undefined) return { delete: [key], clearTimers: [key], emit, count };
  if (window.fresh === 0) return { put: [[key, window]], clearTimers: [key], emit, count };
  const isNew = window.windowId !== before?.windowId || before.fresh === 0;
  return {
    put: [[key, window]],
    ...(isNew ? { setTimers: [timerOf(key, window.openedAt + window.terms.maxAgeMs)] } : {}),
    emit,
    count,
  };
}

/** The timer of a window: its first row is old. */
export function ageOut(key: string, window: CountState, timeMs: number): Effects {
  const { openedAt, rows, fresh, terms } = window;
  const { minRows, maxAgeMs } = terms;
  if (fresh === 0) return {};
  if (rows < minRows && timeMs < openedAt + lastAges * maxAgeMs) {
    return { setTimers: [timerOf(key, openedAt + lastAges * maxAgeMs)] };
  }
  const out = { emit: [closed(window, timeMs, 'age')], count: { windows: 1 } };
  const next = slid(window, terms.rows - terms.everyRows);
  return next === undefined ? { ...out, delete: [key] } : { ...out, put: [[key, next]] };
}

function isOld({ openedAt, rows, fresh, terms }: CountState, timeMs: number): boolean {
  return fresh > 0 && timeMs >= openedAt + terms.maxAgeMs && rows >= terms.minRows;
}

function opened(
  { deployment, deploymentVersion, stream }: ObservationsSampled,
  terms: WindowTerms,
  place: Place,
  row: number,
  parts: readonly Part[],
): CountState {
  const own = [deployment, deploymentVersion, place.partition, place.offset, row];
  const windowId = derivedId(place.timeMs, 'window', ...own, ...(terms.id === '' ? [] : [stream, terms.id]));
  const of = { kind: 'count', deployment, deploymentVersion, terms } as const;
  return { ...of, windowId, openedAt: place.timeMs, rows: rowsOf(parts), fresh: 0, parts };
}

/** What the next window begins with: the last rows of this one; undefined when it keeps none. It is opened by its first fresh row. */
function slid(window: CountState, kept: number): CountState | undefined {
  const parts = lastRows(window.parts, kept);
  return parts.length === 0 ? undefined : { ...window, parts, rows: rowsOf(parts), fresh: 0 };
}

function add(window: CountState, part: Part): CountState {
  const rows = part.predictionIds.length;
  return { ...window, rows: window.rows + rows, fresh: window.fresh + rows, parts: [...window.parts, part] };
}

function closed(window: CountState, closedAt: number, closedBy: ClosedBy): Output {
  const { windowId, openedAt, parts, rows } = window;
  const about = {
    windowId,
    openedAt,
    closedAt,
    closedBy,
    role: 'window',
    rowsSeen: rows,
    lateRows: 0,
    startMs: 0,
    endMs: 0,
  };
  return closedWindow(window, parts, about);
}
