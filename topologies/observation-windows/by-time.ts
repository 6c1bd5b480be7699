/**
 * Windows by the time of their rows: [end − length, end), one every `everyMs`. A row is for its window when it comes before the end plus
 * `latenessMs`, by append time; a later one, and one from further in the future than that, is in no window, and counted. So a clock that
 * jumps cannot hold a window open, and every window that a row belongs to has it.
 *
 * Rows lie in panes of `everyMs`. A pane that outgrows its room keeps every second row, then every fourth …: evenly over its time.
 */
import type { Effects, Output } from '../../runtime/engine/topology.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { ObservationsSampled, WindowTerms } from '../../schemas/events.ts';
import {
  closedWindow,
  type Part,
  picked,
  type Place,
  rowsOf,
  rowsThatFit,
  sameLayout,
  timerOf,
  type WindowOf,
} from './parts.ts';

export interface TimeState extends WindowOf {
  readonly kind: 'time';
  /** End of the next window to close. */
  readonly nextEndMs: number;
  /** Since the last window. */
  readonly lateRows: number;
  /** By their start, ascending. */
  readonly panes: readonly Pane[];
}

interface Pane {
  readonly startMs: number;
  /** When its first row came. */
  readonly openedAt: number;
  /** Rows that fell into it. */
  readonly seen: number;
  /** It holds every so many of them. */
  readonly stride: number;
  readonly parts: readonly Part[];
}

export function foldByTime(
  key: string,
  before: TimeState | undefined,
  batch: ObservationsSampled,
  first: number,
  terms: WindowTerms,
  { timeMs }: Place,
): Effects {
  const { deployment, deploymentVersion } = batch;
  const emit: Output[] = [];
  let held = before;
  if (held !== undefined && !sameLayout(held.panes[0]?.parts[0], batch)) {
    emit.push(...windowOf(held, held.nextEndMs, timeMs, 'layout'));
    held = undefined;
  }
  const places = new Map<number, number[]>();
  let lateRows = 0;
  for (let row = first; row < batch.predictionIds.length; row++) {
    const at = batch.times[row] ?? timeMs;
    const startMs = Math.floor(at / terms.everyMs) * terms.everyMs;
    if (timeMs >= startMs + terms.everyMs + terms.latenessMs || at > timeMs + terms.latenessMs) lateRows += 1;
    else places.set(startMs, [...(places.get(startMs) ?? []), row]);
  }
  const room = paneRoom(terms, batch);
  const panes = new Map((held?.panes ?? []).map((pane) => [pane.startMs, pane]));
  for (const [startMs, rows] of places) {
    const pane = panes.get(startMs) ?? { startMs, openedAt: timeMs, seen: 0, stride: 1, parts: [] };
    panes.set(startMs, filled(pane, batch, rows, room));
  }
  const count = {
    ...(lateRows > 0 ? { rowsLate: lateRows } : {}),
    ...(emit.length > 0 ? { windows: emit.length } : {}),
  };
  if (panes.size === 0) {
    // All of it came too late: the next window says so, whenever that is.
    const late = { kind: 'time', deployment, deploymentVersion, terms, nextEndMs: 0, lateRows, panes: [] } as const;
    return held === undefined
      ? { put: [[key, late]], emit, count, ...(before === undefined ? {} : { clearTimers: [key] }) }
      : { put: [[key, { ...held, lateRows: held.lateRows + lateRows }]], emit, count };
  }
  const sorted = [...panes.values()].sort((a, b) => a.startMs - b.startMs);
  // A row may come for a window before the one that was next.
  const earliest = (sorted[0]?.startMs ?? 0) + terms.everyMs;
  const nextEndMs =
    held === undefined ? earliest : held.panes.length === 0 ? earliest : Math.min(held.nextEndMs, earliest);
  const next = Math.max(nextEndMs, held === undefined ? 0 : firstOpen(held, timeMs));
  const state: TimeState = {
    kind: 'time',
    deployment,
    deploymentVersion,
    terms,
    nextEndMs: next,
    lateRows: (held?.lateRows ?? 0) + lateRows,
    panes: sorted,
  };
  return {
    put: [[key, state]],
    ...(next === held?.nextEndMs ? {} : { setTimers: [timerOf(key, next + terms.latenessMs)] }),
    emit,
    count,
  };
}

/** The timer: the next window has all rows that it waits for. */
export function closePanes(key: string, state: TimeState, timeMs: number): Effects {
  const { terms } = state;
  const emit: Output[] = [];
  let { nextEndMs, panes, lateRows } = state;
  while (panes.length > 0 && timeMs >= nextEndMs + terms.latenessMs) {
    const window = windowOf({ ...state, panes, lateRows }, nextEndMs, timeMs, 'time');
    if (window.length > 0) lateRows = 0;
    emit.push(...window);
    nextEndMs += terms.everyMs;
    const begin = nextEndMs - terms.lengthMs;
    panes = panes.filter(({ startMs }) => startMs >= begin);
  }
  const count = { windows: emit.length };
  if (panes.length === 0) return { delete: [key], emit, count };
  const next: TimeState = { ...state, nextEndMs, panes, lateRows };
  return { put: [[key, next]], setTimers: [timerOf(key, nextEndMs + terms.latenessMs)], emit, count };
}

/** End of the first window that is not closed yet. */
function firstOpen({ terms }: TimeState, timeMs: number): number {
  return (Math.floor((timeMs - terms.latenessMs) / terms.everyMs) + 1) * terms.everyMs;
}

function windowOf(state: TimeState, endMs: number, closedAt: number, closedBy: 'time' | 'layout'): Output[] {
  const { deployment, deploymentVersion, terms, lateRows } = state;
  const startMs = endMs - terms.lengthMs;
  const panes = state.panes.filter(
    (pane) => pane.startMs >= startMs && (closedBy === 'layout' || pane.startMs < endMs),
  );
  const parts = panes.flatMap((pane) => pane.parts);
  if (parts.length === 0) return [];
  const about = {
    windowId: derivedId(closedAt, 'window', deployment, deploymentVersion, terms.stream, terms.id, endMs, closedBy),
    openedAt: panes[0]?.openedAt ?? closedAt,
    closedAt,
    closedBy,
    role: 'window',
    rowsSeen: panes.reduce((sum, { seen }) => sum + seen, 0),
    lateRows,
    startMs,
    endMs,
  };
  return [closedWindow(state, parts, about)];
}

function paneRoom(terms: WindowTerms, batch: ObservationsSampled): number {
  const rows = Math.min(terms.rows, rowsThatFit(batch));
  return Math.max(1, Math.floor(rows / (terms.lengthMs / terms.everyMs)));
}

function filled(pane: Pane, batch: ObservationsSampled, rows: readonly number[], room: number): Pane {
  let { seen, stride, parts } = pane;
  const taken: number[] = [];
  for (const row of rows) {
    if (seen % stride === 0) taken.push(row);
    seen += 1;
  }
  if (taken.length > 0) parts = [...parts, picked(batch, taken)];
  while (rowsOf(parts) > room && rowsOf(parts) > 1) {
    parts = halved(parts);
    stride *= 2;
  }
  return { ...pane, seen, stride, parts };
}

/** Every second row. */
function halved(parts: readonly Part[]): readonly Part[] {
  let index = 0;
  return parts.flatMap((part) => {
    const places = part.predictionIds.flatMap((_, place) => (index++ % 2 === 0 ? [place] : []));
    return places.length === 0 ? [] : [picked(part, places)];
  });
}
