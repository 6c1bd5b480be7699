/** Statistics of a deployment's features over time, from the windows in the query store. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type {
  FeatureOverTime,
  FeatureStatistics,
  StatisticsSearch,
  TrafficPiece,
} from '../../../schemas/api/feature-statistics.ts';
import type { FeatureSpec } from '../../../schemas/deployment-document.ts';
import { featuresOf, namedColumns } from '../request-log/named-columns.ts';
import type { ProvenanceStore } from '../index.ts';
import type { StoredColumn } from './rows.ts';
import { histogram, mergedColumn, summaryOf } from './summaries.ts';

const dayMs = 86_400_000;
const windowsMax = 20_160;
/** Windows whose columns are read by one statement: predictions may share the thread. */
const sliceWindows = 200;

interface Window {
  readonly version: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly rows: number;
  readonly predictions: number;
  readonly lateRows: number;
}

interface ColumnName {
  readonly name: string;
  readonly kind: string;
  readonly categories: readonly string[] | null;
}

interface ColumnParts extends ColumnName {
  /** By piece of time: windows that were read together are one. */
  readonly parts: readonly StoredColumn[][];
}

export async function readStatistics(
  store: ProvenanceStore,
  { deployment, version, since, until, feature, points = 60 }: StatisticsSearch,
  nowMs: number,
): Promise<FeatureStatistics> {
  const { database } = store;
  let query = database
    .selectFrom('feature_windows')
    .select(['version', 'start_ms', 'end_ms', 'rows', 'predictions', 'late_rows'])
    .where('deployment', '=', deployment)
    .where('start_ms', '>=', since ?? nowMs - dayMs);
  if (until !== undefined) query = query.where('start_ms', '<', until);
  if (version !== undefined) query = query.where('version', '=', version);
  const rows = await query.orderBy('start_ms', 'desc').limit(windowsMax).execute();
  const windows = rows.reverse().map(
    ({ start_ms: startMs, end_ms: endMs, late_rows: lateRows, ...row }): Window => ({
      ...{ version: row.version, startMs, endMs, lateRows },
      ...{ rows: row.rows, predictions: row.predictions },
    }),
  );
  const pieces = piecesOf(windows, points);
  const versions = [...new Set(windows.map((window) => window.version))].sort((a, b) => b - a);
  const columns = await columnsOf(store, { deployment, version, feature }, windows, pieces);
  return {
    deployment,
    versions,
    fromMs: pieces[0]?.fromMs ?? null,
    toMs: pieces.at(-1)?.toMs ?? null,
    traffic: pieces.map(trafficOf),
    features: columns.map(overTime),
  };
}

/** By equal lengths of time, the last up to the end; those without windows are there too, and empty. */
interface TimePiece {
  readonly fromMs: number;
  readonly toMs: number;
  readonly windows: readonly Window[];
}

function piecesOf(windows: readonly Window[], points: number): readonly TimePiece[] {
  const [first] = windows;
  if (first === undefined) return [];
  let end = 0;
  let unitMs = Infinity;
  for (const { startMs, endMs } of windows) {
    end = Math.max(end, endMs);
    unitMs = Math.min(unitMs, endMs - startMs);
  }
  const units = Math.ceil((end - first.startMs) / unitMs);
  const lengthMs = Math.ceil(units / points) * unitMs;
  const pieces: { fromMs: number; toMs: number; windows: Window[] }[] = [];
  for (let fromMs = first.startMs; fromMs < end; fromMs += lengthMs)
    pieces.push({ fromMs, toMs: Math.min(end, fromMs + lengthMs), windows: [] });
  for (const window of windows) pieces[Math.floor((window.startMs - first.startMs) / lengthMs)]?.windows.push(window);
  return pieces;
}

function trafficOf({ fromMs, toMs, windows }: TimePiece): TrafficPiece {
  const sum = (of: (window: Window) => number): number => windows.reduce((total, window) => total + of(window), 0);
  const predictions = sum((window) => window.predictions);
  return {
    fromMs,
    toMs,
    predictions,
    rows: sum(({ rows }) => rows),
    lateRows: sum(({ lateRows }) => lateRows),
    predictionsPerSecond: (1_000 * predictions) / (toMs - fromMs),
  };
}

/** Of one slice and piece. */
interface Together {
  readonly first: StoredColumn;
  readonly others: StoredColumn[];
  readonly categories: ColumnName['categories'];
}

/** The columns, or the one that is asked for, put together slice by slice. */
async function columnsOf(
  { database }: ProvenanceStore,
  { deployment, version, feature }: Pick<StatisticsSearch, 'deployment' | 'version' | 'feature'>,
  windows: readonly Window[],
  pieces: readonly TimePiece[],
): Promise<readonly ColumnParts[]> {
  const namesOf = columnNames(database, deployment);
  const pieceOf = new Map(pieces.flatMap((piece, at) => piece.windows.map(({ startMs }) => [startMs, at] as const)));
  const times = [...pieceOf.keys()].sort((a, b) => b - a);
  // The newest say what the columns are; those that only older ones have come behind.
  const found = new Map<string, ColumnParts>();
  for (let at = 0; at < times.length; at += sliceWindows) {
    const some = times.slice(at, at + sliceWindows);
    let query = database
      .selectFrom('feature_windows')
      .select(['version', 'start_ms', 'columns'])
      .where('deployment', '=', deployment)
      .where('start_ms', '<=', some[0] ?? 0)
      .where('start_ms', '>=', some.at(-1) ?? 0);
    if (version !== undefined) query = query.where('version', '=', version);
    const slice = new Map<StoredColumn[], Together>();
    for (const row of await query.orderBy('start_ms', 'desc').execute()) {
      await nextTurn();
      const stored = JSON.parse(row.columns) as readonly StoredColumn[];
      const names = await namesOf(row.version, stored);
      for (const [place, column] of stored.entries()) {
        const named = names[place];
        if (named === undefined) continue;
        const id = `${named.kind} ${named.name}`;
        const known = found.get(id) ?? { ...named, parts: pieces.map(() => []) };
        found.set(id, known);
        const parts = known.parts[pieceOf.get(row.start_ms) ?? -1];
        if (parts === undefined || !isAsked(named, feature)) continue;
        const together = slice.get(parts);
        if (together === undefined) slice.set(parts, { first: column, others: [], categories: known.categories });
        else together.others.push(column);
      }
    }
    for (const [parts, { first, others, categories }] of slice) {
      parts.push(mergedColumn(first, others, categories));
      await nextTurn();
    }
  }
  const all = [...found.values()];
  const asked = all.filter((column) => isAsked(column, feature));
  if (asked.length > 0 || all.length === 0 || feature === undefined) return asked;
  const known = all.slice(0, 50).map(({ name }) => name);
  throw new MillraceError('NOT_FOUND', `there is no feature '${feature.slice(0, 80)}'; there are ${known.join(', ')}`);
}

const isAsked = ({ name, kind }: ColumnName, feature: string | undefined): boolean =>
  feature === undefined || name === feature || `${kind}.${name}` === feature;

/** What the deployment calls columns; windows of a version mostly have the same ones. */
function columnNames(database: ProvenanceStore['database'], deployment: string) {
  const features = new Map<number, readonly FeatureSpec[]>();
  const known = new Map<string, readonly ColumnName[]>();
  return async (version: number, stored: readonly StoredColumn[]): Promise<readonly ColumnName[]> => {
    const layout = JSON.stringify([version, stored.map(({ kind, name }) => [kind, name])]);
    const before = known.get(layout);
    if (before !== undefined) return before;
    const specs = features.get(version) ?? (await featuresOf(database, deployment, version));
    features.set(version, specs);
    const names = namedColumns(
      stored.map(({ name, kind }) => ({ name, kind: kind === 'output' ? 'output' : 'input' })),
      specs,
    ).map(({ name, kind, categories }) => ({ name, kind, categories: categories ?? null }));
    known.set(layout, names);
    return names;
  };
}

function overTime({ name, kind, categories, parts }: ColumnParts): FeatureOverTime {
  const all = parts.flat();
  const total = summaryOf(all, categories);
  const isShare = kind === 'output' && /proba/i.test(name) && (total.min ?? -1) >= 0 && (total.max ?? 2) <= 1;
  return {
    name,
    kind: kind === 'output' ? 'output' : 'input',
    type: categories !== null ? 'CATEGORICAL' : isShare ? 'PROBA' : 'REAL',
    categories,
    total,
    histogram: categories === null ? histogram(all) : { edges: [], shares: [] },
    over: parts.map((some) => summaryOf(some, categories)),
  };
}
