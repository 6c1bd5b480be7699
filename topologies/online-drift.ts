/**
 * Detectors that look at every row, in bounded memory. Their states lie in the topology: they go on after a restart where they were, and
 * begin anew with a version of the deployment. The scorer fits a detector and says so (`detector-fitted`); rows that come before wait.
 *
 * A finding comes with the row that raises an alarm, and otherwise every `reportEvery` rows. It names the position of each row since the
 * one before and the state before them, so it can be replayed.
 */
import { type Effects, nothing, type Output, type Topology } from '../runtime/engine/topology.ts';
import { detectorMethods } from '../schemas/detector-methods.ts';
import { derivedId } from '../schemas/derived-ids.ts';
import type { DetectorFitted, DriftAssessed, ObservationsSampled, OffsetRange } from '../schemas/events.ts';
import { dropOldVersion, newestKey, noteVersion } from './old-versions.ts';
import { emptyStates, seedOf } from './online-drift/methods.ts';
import { columnsOf, type Fit, noPeak, type Peak, takeRow } from './online-drift/run.ts';

export const onlineDrift: Topology<'observations'> = {
  name: 'online-drift',
  version: 2,
  input: 'observations',
  outputs: ['drift'],
  summary: 'looks at rows one by one, with detectors of bounded memory',

  reads(event) {
    if (event.type === 'detector-fitted') return { keys: [keyOf(event.data, event.data.detector)] };
    if (event.type !== 'observations-sampled') return {};
    if (event.data.online.length === 0) return {};
    const keys = event.data.online.flatMap((name) => [keyOf(event.data, name), fitKey(event.data, name)]);
    return { keys: [newestKey(event.data), ...keys] };
  },

  fold(event, state) {
    if (event.type === 'detector-fitted') {
      const key = keyOf(event.data, event.data.detector);
      return fitted(key, state.get<Detector>(key), event.data, event);
    }
    if (event.type !== 'observations-sampled') return nothing;
    const batch = event.data;
    if (batch.online.length === 0) return nothing;
    const { put: noted = [], setTimers = [] } = noteVersion(batch, state, event.timeMs, prefixesOf);
    const parts = batch.online.map((name): Effects => {
      const key = keyOf(batch, name);
      const held = state.get<Detector>(key) ?? nobodyYet;
      if (held.phase === 'off') return { count: { rowsUnwatched: batch.offsets.length } };
      if (held.phase === 'waiting') return { put: [[key, waits(held, batch)]] };
      const fit = state.get<Fit>(fitKey(batch, name));
      return fit === undefined ? nothing : take(key, held, fit, [batch], event);
    });
    const count: Record<string, number> = {};
    for (const part of parts)
      for (const [name, value] of Object.entries(part.count ?? {})) count[name] = (count[name] ?? 0) + value;
    return {
      put: [...noted, ...parts.flatMap(({ put = [] }) => put)],
      setTimers,
      emit: parts.flatMap(({ emit = [] }) => emit),
      count,
    };
  },

  onTimer: (timer, state) => dropOldVersion(timer, state) ?? nothing,
};

/** Per deployment version and detector. */
type Detector = Waiting | On | { readonly phase: 'off' };

interface Waiting {
  readonly phase: 'waiting';
  readonly rows: number;
  /** Rows that found no room. */
  readonly skipped: number;
  readonly batches: readonly ObservationsSampled[];
}

interface On {
  readonly phase: 'on';
  readonly fitHash: string;
  readonly referenceHash: string;
  readonly states: readonly unknown[];
  readonly peaks: readonly Peak[];
  /** States before the first row since the last finding, JSON. */
  readonly startState: string;
  readonly sinceMs: number;
  /** Rows since the last finding: partition, offset and row of its prediction of each. */
  readonly rows: readonly (readonly [partition: number, offset: number, row: number])[];
  readonly skipped: number;
  /** The last finding was an alarm: the next one waits for its turn. */
  readonly wasAlarm: boolean;
}

/** Numbers that wait for the fit of one detector. */
const waitingCellsMax = 200_000;

const nobodyYet: Waiting = { phase: 'waiting', rows: 0, skipped: 0, batches: [] };

function waits(held: Waiting, batch: ObservationsSampled): Waiting {
  const rows = batch.offsets.length;
  const width = batch.columns.length + batch.outputs.length;
  if ((held.rows + rows) * Math.max(1, width) > waitingCellsMax) return { ...held, skipped: held.skipped + rows };
  // Windows are of no concern here.
  return { ...held, rows: held.rows + rows, batches: [...held.batches, { ...batch, windows: [] }] };
}

type Place = { readonly timeMs: number; readonly partition: number; readonly offset: number };

function fitted(key: string, before: Detector | undefined, data: DetectorFitted, place: Place): Effects {
  const held = before ?? nobodyYet;
  if (held.phase === 'on') return { count: { fitsRepeated: 1 } };
  if (data.fit === '') return { put: [[key, { phase: 'off' }]], count: { detectorsOff: 1 } };
  const fit = JSON.parse(data.fit) as Fit;
  const names = fit.columns.map(({ name }) => name);
  const states = emptyStates(fit.method, names, seedOf(data.deployment, data.deploymentVersion, data.detector));
  const on: On = {
    phase: 'on',
    fitHash: data.fitHash,
    referenceHash: data.referenceHash,
    states,
    peaks: states.map(() => noPeak),
    startState: JSON.stringify(states),
    sinceMs: place.timeMs,
    rows: [],
    skipped: held.phase === 'waiting' ? held.skipped : 0,
    wasAlarm: false,
  };
  const taken = take(key, on, fit, held.phase === 'waiting' ? held.batches : [], place);
  return {
    ...taken,
    put: [[fitKey(data, data.detector), fit], ...(taken.put ?? [])],
    count: { ...taken.count, detectorsOn: 1 },
  };
}

function take(key: string, before: On, fit: Fit, batches: readonly ObservationsSampled[], place: Place): Effects {
  const emit: Output[] = [];
  let on = before;
  let watched = 0;
  for (const batch of batches) {
    const columns = columnsOf(fit, batch);
    if (columns === undefined) {
      on = { ...on, skipped: on.skipped + batch.offsets.length };
      continue;
    }
    watched += batch.offsets.length;
    const rows = [...on.rows];
    let { states, peaks } = on;
    for (const [row, offset] of batch.offsets.entries()) {
      rows.push([batch.partition, offset, batch.rowsOfPrediction[row] ?? 0]);
      const step = takeRow(
        fit,
        { states, peaks },
        columns.map((values) => values[row] ?? Number.NaN),
      );
      ({ states, peaks } = step);
      if ((step.alarm && !on.wasAlarm) || rows.length >= fit.reportEvery) {
        const ended = { ...on, states, peaks, rows };
        emit.push(finding(ended, fit, batch, place, emit.length));
        const wasAlarm = peaks.some(({ alarm }) => alarm);
        peaks = states.map(() => noPeak);
        rows.length = 0;
        on = { ...on, startState: JSON.stringify(states), sinceMs: place.timeMs, skipped: 0, wasAlarm };
      }
    }
    on = { ...on, states, peaks, rows };
  }
  const count = { rowsWatched: watched, ...(emit.length > 0 ? { findings: emit.length } : {}) };
  return { put: [[key, on]], emit, count };
}

function finding(on: On, fit: Fit, batch: ObservationsSampled, place: Place, serial: number): Output {
  const { deployment, deploymentVersion, stream } = batch;
  const own = [deployment, deploymentVersion, fit.detector, place.partition, place.offset, serial];
  const findingId = derivedId(place.timeMs, 'online', ...own);
  const { effect } = detectorMethods[fit.method];
  const names = on.peaks.length === fit.columns.length ? fit.columns.map(({ name }) => name) : ['*'];
  const data: DriftAssessed = {
    deployment,
    deploymentVersion,
    windowId: findingId,
    findingId,
    detector: fit.detector,
    method: fit.method,
    methodVersion: fit.methodVersion,
    target: fit.target,
    stream,
    window: '',
    referenceHash: on.referenceHash,
    referenceKind: fit.referenceKind,
    referenceRows: fit.referenceRows,
    rows: on.rows.length,
    rowsUsed: on.rows.length,
    rowsSeen: on.rows.length + on.skipped,
    lateRows: 0,
    correction: 'none',
    alpha: Number.NaN,
    minEffectSize: fit.minEffectSize,
    raiseAfter: fit.raiseAfter,
    clearAfter: fit.clearAfter,
    openedAt: on.sinceMs,
    closedAt: place.timeMs,
    closedBy: on.peaks.some(({ alarm }) => alarm) ? 'alarm' : 'rows',
    sources: sourcesOf(on.rows),
    startState: on.startState,
    fitHash: on.fitHash,
    drifted: on.peaks.some(({ alarm }) => alarm),
    features: on.peaks.map(({ alarm, ...peak }, column) => ({
      name: names[column] ?? '*',
      test: fit.method,
      ...peak,
      drifted: alarm,
      psi: Number.NaN,
      effect,
      minEffectSize: fit.minEffectSize,
    })),
  };
  return { topic: 'drift', type: 'drift-assessed', data, key: deployment };
}

/**
 * Runs of rows of one partition in the order in which they were taken, for that order matters to a detector of rows: a partition may come
 * several times.
 */
function sourcesOf(rows: On['rows']): OffsetRange[] {
  const runs: { partition: number; list: { offset: number; row: number }[] }[] = [];
  for (const [partition, offset, row] of rows) {
    const last = runs.at(-1);
    if (last?.partition === partition) last.list.push({ offset, row });
    else runs.push({ partition, list: [{ offset, row }] });
  }
  return runs.map(({ partition, list }) => {
    const firstOffset = list[0]?.offset ?? 0;
    return {
      partition,
      firstOffset,
      lastOffset: list.at(-1)?.offset ?? firstOffset,
      offsets: list.map(({ offset }, index) => offset - (list[index - 1]?.offset ?? firstOffset)),
      rows: list.some(({ row }) => row !== 0) ? list.map(({ row }) => row) : [],
    };
  });
}

type Of = Pick<ObservationsSampled, 'deployment' | 'deploymentVersion' | 'stream'>;

const keyOf = ({ deployment, deploymentVersion, stream }: Of, detector: string): string =>
  `d/${deployment}/${deploymentVersion}/${stream}/${detector}`;
const prefixesOf = ({ deployment, deploymentVersion }: Omit<Of, 'stream'>): readonly string[] =>
  ['d/', 'fit/d/'].map((kind) => `${kind}${deployment}/${deploymentVersion}/`);
const fitKey = (of: Of, detector: string): string => `fit/${keyOf(of, detector)}`;
