/**
 * Rows of the request log. Each partition has so many slots, and a prediction takes that of its offset: so the newest ones are kept
 * whatever comes, nothing needs to be swept, and filling the tables again ends in the same rows. What many predictions have in common
 * is said once, as their kind.
 */
import { hash } from 'node:crypto';
import type { PredictionCompleted, PredictionFailed, Tensor } from '../../../schemas/events.ts';
import { tableWidth } from '../../../topologies/tensor-table.ts';
import { numericValue, tensorValues } from '../../../topologies/tensor-values.ts';
import type { RowOf } from '../../../runtime/ports/query-store.ts';
import type { Change } from '../rows.ts';
import type { ProvenanceTables } from '../tables.ts';

/** Newest records of each partition of `predictions` that can be searched. */
export const slotsPerPartition = 200_000;
/** Numbers of one prediction that can be searched: those of its first rows. */
const numbersMax = 1_000;
const columnsMax = 200;

interface Place {
  readonly partition: number;
  readonly offset: number;
}

export function completedRequest(data: PredictionCompleted, timeMs: number, place: Place): Change[] {
  const { deployment, deploymentVersion: version, route, model, modelVersion, inputs, outputs, rows } = data;
  const widths = searchedWidths(inputs, outputs, rows);
  const kind = kindOf([deployment, version, route, model, modelVersion, 'completed'], data, widths);
  const own = {
    event_ms: data.eventTime,
    queue_ms: data.queueMs,
    run_ms: data.runMs,
    rows,
    cells: widths === undefined ? null : cellsText([...inputs, ...outputs], widths, rows),
  };
  return [{ table: 'requests', row: rowOf(data, kind, timeMs, place, own), set: 'all' }, kind.change];
}

export function failedRequest(data: PredictionFailed, timeMs: number, place: Place): Change[] {
  const kind = kindOf(
    [failedDeployment(data), data.deploymentVersion, data.route, '', 0, data.code],
    nothingSaid,
    undefined,
  );
  const own = { event_ms: null, queue_ms: null, run_ms: null, rows: 0, cells: null };
  return [{ table: 'requests', row: rowOf(data, kind, timeMs, place, own), set: 'all' }, kind.change];
}

/**
 * Empty when no version was found, whatever the request failed by: names of deployments that there are not would make as many kinds as
 * somebody likes.
 */
export function failedDeployment({ deployment, deploymentVersion }: PredictionFailed): string {
  return deploymentVersion === 0 ? '' : deployment;
}

/** Another record took the place of a request that is too old to be searched. */
export function otherRecord(place: Place): Change {
  return { table: 'requests', remove: { partition: place.partition, slot: place.offset % slotsPerPartition } };
}

interface Own {
  readonly event_ms: number | null;
  readonly queue_ms: number | null;
  readonly run_ms: number | null;
  readonly rows: number;
  readonly cells: string | null;
}

/** One literal with what is spread at its end: properties behind a spread cost V8 two microseconds each. */
function rowOf(
  data: PredictionCompleted | PredictionFailed,
  { id }: Kind,
  timeMs: number,
  place: Place,
  own: Own,
): RowOf<ProvenanceTables['requests']> {
  return {
    partition: place.partition,
    slot: place.offset % slotsPerPartition,
    prediction_id: data.predictionId,
    kind: id,
    entity: data.entity,
    received_ms: data.receivedAt,
    latency_ms: Math.max(0, timeMs - data.receivedAt),
    ...own,
  };
}

/** A column of `cells`. */
export interface CellColumn {
  /** As the request calls it: that of its tensor, or `t[3]` of one that is wider. */
  readonly name: string;
  readonly kind: 'input' | 'output';
  /** Floats of 32 bits: 0.3 is there as 0.30000001192092896. */
  readonly single: boolean;
}

type Said = Pick<PredictionCompleted, 'inputs' | 'outputs'>;
const nothingSaid: Said = { inputs: [], outputs: [] };

/** Columns of each tensor; undefined when the inputs are withheld, or something is no table, or too wide, like an image. */
function searchedWidths(inputs: readonly Tensor[], outputs: readonly Tensor[], rows: number): number[] | undefined {
  if (inputs.length === 0) return undefined;
  const widths: number[] = [];
  let columns = 0;
  for (const tensors of [inputs, outputs])
    for (const tensor of tensors) {
      const width = tableWidth(tensor, rows);
      if (width === undefined) return undefined;
      widths.push(width);
      columns += width;
    }
  return columns > columnsMax ? undefined : widths;
}

interface Kind {
  readonly id: string;
  readonly change: Change;
}

/** There are few kinds: each is hashed once. */
const kinds = new Map<string, Kind>();
const kindsMax = 10_000;

function kindOf(
  of: readonly [
    deployment: string,
    version: number,
    route: string,
    model: string,
    modelVersion: number,
    outcome: string,
  ],
  { inputs, outputs }: Said,
  widths: readonly number[] | undefined,
): Kind {
  let key = of.join('\n');
  if (widths !== undefined) {
    let place = 0;
    for (const { name, datatype } of inputs) key += `\ninput ${name} ${datatype} ${widths[place++] ?? 0}`;
    for (const { name, datatype } of outputs) key += `\noutput ${name} ${datatype} ${widths[place++] ?? 0}`;
  }
  const known = kinds.get(key);
  if (known !== undefined) return known;
  const id = hash('sha256', key, 'hex').slice(0, 12);
  const [deployment, version, route, model, modelVersion, outcome] = of;
  const columns = widths === undefined ? [] : columnsOf(inputs, outputs, widths);
  const cells = JSON.stringify(columns);
  const row = { id, deployment, version, route, model, model_version: modelVersion, outcome, cells };
  const made: Kind = { id, change: { table: 'request_kinds', row } };
  if (kinds.size >= kindsMax) kinds.clear();
  kinds.set(key, made);
  return made;
}

function columnsOf(inputs: readonly Tensor[], outputs: readonly Tensor[], widths: readonly number[]): CellColumn[] {
  return [...inputs, ...outputs].flatMap(({ name, datatype }, place) => {
    const width = widths[place] ?? 0;
    const about = {
      kind: place < inputs.length ? ('input' as const) : ('output' as const),
      single: datatype === 'FP32' || datatype === 'FP16',
    };
    return Array.from({ length: width }, (_, column) => ({
      name: width === 1 ? name : `${name}[${column}]`,
      ...about,
    }));
  });
}

/** JSON: a list of rows, each the inputs and then the outputs; null is a missing value. */
function cellsText(tensors: readonly Tensor[], widths: readonly number[], rows: number): string {
  const width = widths.reduce((sum, one) => sum + one, 0);
  const kept = Math.min(rows, Math.max(1, Math.floor(numbersMax / width)));
  const cells: number[][] = [];
  for (let row = 0; row < kept; row++) cells.push([]);
  for (const [place, tensor] of tensors.entries()) {
    const values = tensorValues(tensor);
    const columns = widths[place] ?? 0;
    for (let at = 0; at < kept * columns; at++) cells[Math.floor(at / columns)]?.push(finite(numericValue(values[at])));
  }
  return JSON.stringify(cells);
}

/** JSON has no infinity: the largest number stands for it. NaN becomes null. */
const finite = (value: number): number =>
  value === Number.POSITIVE_INFINITY
    ? Number.MAX_VALUE
    : value === Number.NEGATIVE_INFINITY
      ? -Number.MAX_VALUE
      : value;
