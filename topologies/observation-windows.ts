/**
 * Windows of rows over all source partitions, as many kinds of them at once as the detectors of a deployment ask for.
 *
 * By count: a window closes when it has its rows, or when its first row is `maxAgeMs` old and it has at least `minRows`; a batch that
 * overflows it is split. One that stays below `minRows` is closed all the same after ten times that age, so that a quiet stream gets an
 * answer too ("too few rows"). By time: see `observation-windows/by-time.ts`. The first rows may become a reference instead.
 *
 * A window names the position of each of its rows, and its prediction: its verdict can be replayed.
 */
import { type Effects, type InputEvent, nothing, type Topology } from '../runtime/engine/topology.ts';
import type { ObservationsSampled, WindowTerms } from '../schemas/events.ts';
import { ageOut, type CountState, foldByCount } from './observation-windows/by-count.ts';
import { closePanes, foldByTime, type TimeState } from './observation-windows/by-time.ts';
import { dropOldVersion, newestKey, noteVersion } from './old-versions.ts';
import { foldReference, type ReferenceState } from './observation-windows/reference.ts';

export const observationWindows: Topology<'observations'> = {
  name: 'observation-windows',
  version: 3,
  input: 'observations',
  outputs: ['observations'],
  summary: 'merges the batches of all partitions into windows of rows per deployment',

  reads(event) {
    if (event.type !== 'observations-sampled') return {};
    const keys = windowsOf(event.data).flatMap((terms) => {
      const key = keyOf(event.data, terms);
      return terms.referenceRows > 0 ? [key, referenceKey(key)] : [key];
    });
    return keys.length === 0 ? {} : { keys: [newestKey(event.data), ...keys] };
  },

  fold(event, state) {
    if (event.type !== 'observations-sampled') return nothing;
    const windows = windowsOf(event.data);
    const counted = { count: { rowsWindowed: event.data.predictionIds.length } };
    return together([
      counted,
      windows.length === 0 ? {} : noteVersion(event.data, state, event.timeMs, prefixesOf),
      ...windows.map((terms): Effects => {
        const key = keyOf(event.data, terms);
        if (terms.referenceRows === 0) return foldWindow(key, terms, event.data, 0, event, state);
        const { effects, from } = foldReference(
          referenceKey(key),
          state.get<ReferenceState>(referenceKey(key)),
          event.data,
          terms,
          event,
        );
        return together([effects, foldWindow(key, terms, event.data, from, event, state)]);
      }),
    ]);
  },

  onTimer(timer, state) {
    const dropped = dropOldVersion(timer, state, isOpen);
    if (dropped !== undefined) return dropped;
    const { name, timeMs } = timer;
    const held = state.get<CountState | TimeState>(name);
    if (held === undefined) return nothing;
    return held.kind === 'count' ? ageOut(name, held, timeMs) : closePanes(name, held, timeMs);
  },
};

type State = Parameters<typeof observationWindows.fold>[1];

function foldWindow(
  key: string,
  terms: WindowTerms,
  batch: ObservationsSampled,
  from: number,
  event: InputEvent<'observations'>,
  state: State,
): Effects {
  if (from >= batch.predictionIds.length) return nothing;
  return terms.lengthMs > 0
    ? foldByTime(key, state.get<TimeState>(key), batch, from, terms, event)
    : foldByCount(key, state.get<CountState>(key), batch, from, terms, event);
}

/** The deployment's own window first. */
function windowsOf({ stream, windowRows, windowMinRows, windowMaxAgeMs, windows }: ObservationsSampled): WindowTerms[] {
  if (!(windowRows > 0)) return [...windows];
  const own = {
    id: '',
    stream,
    rows: windowRows,
    everyRows: windowRows,
    minRows: windowMinRows,
    maxAgeMs: windowMaxAgeMs,
    lengthMs: 0,
    everyMs: 0,
    latenessMs: 0,
    referenceRows: 0,
  };
  return [own, ...windows];
}

function together(parts: readonly Effects[]): Effects {
  const count: Record<string, number> = {};
  for (const part of parts)
    for (const [name, value] of Object.entries(part.count ?? {})) count[name] = (count[name] ?? 0) + value;
  return {
    put: parts.flatMap(({ put = [] }) => put),
    delete: parts.flatMap((part) => part.delete ?? []),
    setTimers: parts.flatMap(({ setTimers = [] }) => setTimers),
    clearTimers: parts.flatMap(({ clearTimers = [] }) => clearTimers),
    emit: parts.flatMap(({ emit = [] }) => emit),
    count,
  };
}

function keyOf({ deployment, deploymentVersion }: ObservationsSampled, { stream, id }: WindowTerms): string {
  const own = `w/${deployment}/${deploymentVersion}`;
  return id === '' ? `${own}/` : `${own}/${stream}/${id}`;
}

/** They end with a slash: version 1 is not version 10. */
const prefixesOf = ({ deployment, deploymentVersion }: Pick<ObservationsSampled, 'deployment' | 'deploymentVersion'>) =>
  ['w/', 'ref/w/'].map((kind) => `${kind}${deployment}/${deploymentVersion}/`);

/** Rows wait in it for the end of their window. */
function isOpen(value: unknown): boolean {
  const held = value as CountState | TimeState | ReferenceState;
  if (!('kind' in held)) return false;
  return held.kind === 'count' ? held.fresh > 0 : held.panes.length > 0;
}

const referenceKey = (key: string): string => `ref/${key}`;
