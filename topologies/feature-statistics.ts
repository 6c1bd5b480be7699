/**
 * Statistics of each feature and output of a deployment version over time, in windows of `statisticsEveryMs` one after the other, by the
 * time that the requests are about. A window waits `statisticsLatenessMs` for its rows, by append time; later ones, and those from further in the
 * future, are counted. Only summaries are kept, never rows.
 */
import { type Effects, nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import type { Column, FeaturesSummarized, ObservationsSampled } from '../schemas/events.ts';
import {
  addToColumnSummary,
  columnQuantiles,
  type ColumnSummary,
  emptyColumnSummary,
} from '../statistics/samples/column-summary.ts';
import { quantileLevels } from '../schemas/quantile-levels.ts';

/** Of inputs and of outputs each; wider rows are images. */
const columnsMax = 200;

interface Held {
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly everyMs: number;
  /** @default 10000, of before it was a setting */
  readonly latenessMs?: number;
  /** Since the last window. */
  readonly lateRows: number;
  /** By their start, ascending. */
  readonly windows: readonly Window[];
}

interface Window {
  readonly startMs: number;
  readonly rows: number;
  readonly predictions: number;
  /** In the order in which they first came. */
  readonly columns: readonly (readonly [kind: 'input' | 'output', name: string, summary: ColumnSummary])[];
}

export const featureStatistics: Topology<'observations'> = {
  name: 'feature-statistics',
  version: 1,
  input: 'observations',
  outputs: ['feature-statistics'],
  summary: 'sums up the values of each feature and output, window by window',
  // nobody waits for it
  lingerMs: 20,

  reads(event) {
    return event.type === 'observations-sampled' && isWanted(event.data) ? { keys: [keyOf(event.data)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'observations-sampled' || !isWanted(event.data)) return nothing;
    const key = keyOf(event.data);
    return added(key, state.get<Held>(key), event.data, event.timeMs);
  },

  onTimer({ name, timeMs }, state) {
    const held = state.get<Held>(name);
    return held === undefined ? nothing : closed(name, held, timeMs);
  },
};

function added(key: string, before: Held | undefined, batch: ObservationsSampled, timeMs: number): Effects {
  const { deployment, deploymentVersion, statisticsEveryMs: everyMs, statisticsLatenessMs: latenessMs } = batch;
  // Another length begins with a version of its own, so what is held has this one.
  const held = before ?? { deployment, deploymentVersion, everyMs, latenessMs, lateRows: 0, windows: [] };
  const places = new Map<number, number[]>();
  let late = 0;
  for (let row = 0; row < batch.predictionIds.length; row++) {
    const at = batch.times[row] ?? timeMs;
    const startMs = Math.floor(at / everyMs) * everyMs;
    if (timeMs >= startMs + everyMs + latenessMs || at > timeMs + latenessMs) late += 1;
    else {
      const rows = places.get(startMs);
      if (rows === undefined) places.set(startMs, [row]);
      else rows.push(row);
    }
  }
  const windows = new Map(held.windows.map((window) => [window.startMs, window]));
  for (const [startMs, rows] of places) {
    const window = windows.get(startMs) ?? { startMs, rows: 0, predictions: 0, columns: [] };
    windows.set(startMs, withRows(window, batch, rows));
  }
  const next: Held = {
    ...held,
    lateRows: held.lateRows + late,
    windows: [...windows.values()].sort((a, b) => a.startMs - b.startMs),
  };
  const first = next.windows[0];
  const isNew = first !== undefined && first.startMs !== held.windows[0]?.startMs;
  return {
    put: [[key, next]],
    ...(isNew ? { setTimers: [timerOf(key, first.startMs, everyMs + latenessMs)] } : {}),
    count: {
      rowsSummarized: batch.predictionIds.length - late,
      ...(late > 0 ? { rowsLate: late } : {}),
    },
  };
}

/** The timer: the first window has all rows that it waits for. */
function closed(key: string, held: Held, timeMs: number): Effects {
  const isOver = ({ startMs }: Window): boolean => timeMs >= startMs + waitOf(held);
  const over = held.windows.filter(isOver);
  const windows = held.windows.filter((window) => !isOver(window));
  const emit = over.map((window, place) => summarized(held, window, place === 0 ? held.lateRows : 0));
  const count = { windows: emit.length };
  const [first] = windows;
  if (first === undefined) return { delete: [key], emit, count };
  const next: Held = { ...held, lateRows: over.length > 0 ? 0 : held.lateRows, windows };
  return { put: [[key, next]], setTimers: [timerOf(key, first.startMs, waitOf(held))], emit, count };
}

function withRows(window: Window, batch: ObservationsSampled, rows: readonly number[]): Window {
  const { columns, outputs, rowsOfPrediction } = batch;
  const all = rows.length === batch.predictionIds.length;
  const known = new Map(window.columns.map((column) => [`${column[0]} ${column[1]}`, column]));
  const put = (kind: 'input' | 'output', { name, values }: Column): void => {
    const id = `${kind} ${name}`;
    const taken = all ? values : rows.map((row) => values[row] ?? Number.NaN);
    known.set(id, [kind, name, addToColumnSummary(known.get(id)?.[2] ?? emptyColumnSummary, taken)]);
  };
  for (const column of columns.slice(0, columnsMax)) put('input', column);
  for (const column of outputs.slice(0, columnsMax)) put('output', column);
  const predictions = rows.filter((row) => (rowsOfPrediction[row] ?? 0) === 0).length;
  return {
    startMs: window.startMs,
    rows: window.rows + rows.length,
    predictions: window.predictions + predictions,
    columns: [...known.values()],
  };
}

function summarized(
  { deployment, deploymentVersion, everyMs }: Held,
  { startMs, rows, predictions, columns }: Window,
  lateRows: number,
): Output {
  const data: FeaturesSummarized = {
    deployment,
    deploymentVersion,
    startMs,
    endMs: startMs + everyMs,
    rows,
    predictions,
    lateRows,
    columns: columns.map(([kind, name, summary]) => {
      const { missing, infinite, moments, min, max, values } = summary;
      const isEmpty = moments.count === 0;
      return {
        name,
        kind,
        count: moments.count,
        missing,
        infinite,
        min: isEmpty ? Number.NaN : min,
        max: isEmpty ? Number.NaN : max,
        mean: isEmpty ? Number.NaN : moments.mean,
        squaredDeviations: moments.squaredDeviations,
        quantiles: columnQuantiles(summary, quantileLevels),
        values: [...(values ?? [])]
          .sort(([a, n], [b, m]) => m - n || a - b)
          .map(([value, count]) => ({ value, count })),
      };
    }),
  };
  return { topic: 'feature-statistics', type: 'features-summarized', key: deployment, data };
}

function isWanted({ stream, statisticsEveryMs }: ObservationsSampled): boolean {
  return stream === 'predictions' && statisticsEveryMs > 0;
}

const keyOf = ({ deployment, deploymentVersion }: ObservationsSampled): string =>
  `f/${deployment}/${deploymentVersion}`;

/** From the start of a window until it is said. */
const waitOf = ({ everyMs, latenessMs = 10_000 }: Held): number => everyMs + latenessMs;

const timerOf = (key: string, startMs: number, afterMs: number) => ({
  name: key,
  dueMs: startMs + afterMs,
  reads: { keys: [key] },
});
