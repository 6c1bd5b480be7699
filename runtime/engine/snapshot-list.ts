import { PoisonError } from '../../schemas/codec/event-codec.ts';
import type { EncodingContext } from './output-encoder.ts';
import type { EngineParts } from './runtime.ts';

/** A snapshot of a task, as the topic `snapshots` names it. */
export interface SnapshotRef {
  readonly task: string;
  readonly topologyVersion: number;
  /** Newest branch of the task's origin at that position. */
  readonly branch: number;
  readonly position: number;
  /** sha256; '' names the empty state of a task that has folded nothing yet. */
  readonly blob: string;
  readonly sizeBytes: number;
  /** Append time of the event that names it, milliseconds. */
  readonly takenAtMs: number;
}

/** How far a projection has read a partition, as it last said. */
export interface ReportedPosition {
  readonly reader: string;
  /** Catalogue name. */
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly reportedAtMs: number;
}

export interface SnapshotList {
  /** By task, newest first. */
  readonly snapshots: ReadonlyMap<string, readonly SnapshotRef[]>;
  readonly positions: readonly ReportedPosition[];
}

/** Reads the topic `snapshots` to its present end. */
export async function readSnapshots(
  { log }: Pick<EngineParts, 'log'>,
  encoding: Pick<EncodingContext, 'codec' | 'topic'>,
): Promise<SnapshotList> {
  const { codec } = encoding;
  const refs = new Map<string, SnapshotRef>();
  const positions = new Map<string, ReportedPosition>();
  for await (const records of log.read({ topic: encoding.topic('snapshots'), partition: 0 }, { from: 0 })) {
    for (const { key, value, timestampMs } of records) {
      const name = key?.toString('utf8') ?? '';
      if (value === null) {
        refs.delete(name);
        continue;
      }
      try {
        await codec.prepare([value]);
        const { type, data } = codec.decode('snapshots', value);
        if (type === 'snapshot-taken') refs.set(name, { ...data, takenAtMs: timestampMs });
        else positions.set(name, { ...data, reportedAtMs: timestampMs });
      } catch (error) {
        // What names no snapshot takes none away either: a rebuild goes by the others.
        if (!(error instanceof PoisonError)) throw error;
      }
    }
  }
  const snapshots = new Map<string, SnapshotRef[]>();
  for (const ref of [...refs.values()].sort(newestFirst)) {
    const ofTask = snapshots.get(ref.task);
    if (ofTask === undefined) snapshots.set(ref.task, [ref]);
    else ofTask.push(ref);
  }
  return { snapshots, positions: [...positions.values()] };
}

/** Key of the event: a zombie's late snapshot lies beside newer ones and takes the place of none. */
export function snapshotKey({ task, branch, position }: Pick<SnapshotRef, 'task' | 'branch' | 'position'>): string {
  return `${task}@${branch}.${position}`;
}

/**
 * Of a task's snapshots, newest first: the two newest, since the newest may turn out damaged, and the first of the newest version, which
 * reaches furthest back when the log lost its tail.
 */
export function worthKeeping(newest: readonly SnapshotRef[]): readonly SnapshotRef[] {
  const first = newest.findLast(({ topologyVersion }) => topologyVersion === newest[0]?.topologyVersion);
  return newest.filter((ref, index) => index < 2 || ref === first);
}

function newestFirst(a: SnapshotRef, b: SnapshotRef): number {
  return b.topologyVersion - a.topologyVersion || b.branch - a.branch || b.position - a.position;
}
