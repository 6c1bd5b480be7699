import { createHash } from 'node:crypto';
import type { LogRecord } from '../ports/log.ts';
import type { StateEntry } from '../ports/state-store.ts';
import type { Watermarks } from './receiver.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/** What a task keeps beside its values; committed with them, so that both always belong to one position. */
export interface TaskMeta {
  /** Version of the topology that wrote it. */
  version: number;
  /** Branch of this origin: grows when it is rebuilt from behind what it had said. */
  branch: number;
  /** Running maximum of append times. */
  timeMs: number;
  /** Of the record before the position; '' before the first. */
  fingerprint: string;
  watermarks: Watermarks;
  /** Last ordinal said, by `<topic>/<partition>`. */
  ordinals: Record<string, number>;
  /** The ledger. */
  counters: Record<string, number>;
  /** Offsets of records that were dead-lettered and not replayed since. */
  dead: number[];
  rebuild: CatchingUp | null;
  /** A newer version took over here, and the snapshot that states so is not on the log yet. */
  switching?: boolean;
}

/** What a task that folds again what it folded before has to respect. */
export interface CatchingUp {
  /** Outputs of earlier offsets were said before. */
  readonly saidBelow: number;
  /** Verdicts that stand, ascending. */
  readonly dead: readonly number[];
  /** From this offset on the log is another one than what was folded before, so what is said belongs to this branch. */
  readonly fork: { readonly at: number; readonly branch: number } | null;
}

/** The newest branch that this state knows of: its own, or the one that it comes to when it has caught up. */
export function newestBranch({ branch, rebuild }: TaskMeta): number {
  return Math.max(branch, rebuild?.fork?.branch ?? 0);
}

const key = '~meta';

/** Offsets remembered as dead; an older one can no longer be replayed. */
const deadOffsetsMax = 10_000;

export function freshMeta(version: number): TaskMeta {
  return {
    version,
    branch: 0,
    timeMs: 0,
    fingerprint: '',
    watermarks: {},
    ordinals: {},
    counters: {},
    dead: [],
    rebuild: null,
  };
}

export function metaEntry(meta: TaskMeta): StateEntry {
  return [key, encodeValue(meta)];
}

export const metaKeys: readonly string[] = [key];

export function decodeMeta(bytes: Uint8Array | undefined, version: number): TaskMeta {
  return bytes === undefined ? freshMeta(version) : (decodeValue(bytes) as TaskMeta);
}

export function count(meta: TaskMeta, counter: string, by = 1): void {
  meta.counters[counter] = (meta.counters[counter] ?? 0) + by;
}

export function noteDead(meta: TaskMeta, offset: number): void {
  meta.dead.push(offset);
  if (meta.dead.length > deadOffsetsMax) meta.dead.shift();
}

/** `<task>@<offset>` of a replay: accepted once, and only while that offset is dead. */
export function acceptReplay(
  meta: TaskMeta,
  task: string,
  replay = '',
): 'replayed' | 'replaysRefused' | 'replaysOfOthers' {
  const at = replay.lastIndexOf('@');
  if (replay.slice(0, at) !== task) return 'replaysOfOthers';
  const index = at === replay.length - 1 ? -1 : meta.dead.indexOf(Number(replay.slice(at + 1)));
  if (index < 0) return 'replaysRefused';
  meta.dead.splice(index, 1);
  return 'replayed';
}

/** Tells whether the log still holds the record that a state was folded up to. */
export function fingerprintOf(record: LogRecord): string {
  const hash = createHash('sha1').update(`${record.offset} ${record.timestampMs} `);
  hash.update(record.key ?? '').update(' ');
  hash.update(record.value ?? '');
  return hash.digest('base64').slice(0, 20);
}
