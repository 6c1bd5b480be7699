import type { EventData } from '../../schemas/events.generated.ts';
import { hasCode, messageOf } from '../ports/errors.ts';
import type { StateEntry, TaskState } from '../ports/state-store.ts';
import { envelopeHeaders } from './envelope.ts';
import type { EncodingContext } from './output-encoder.ts';
import type { EngineParts } from './runtime.ts';
import { readSnapshots, snapshotKey, type SnapshotList, type SnapshotRef, worthKeeping } from './snapshot-list.ts';
import { newestBranch, type TaskMeta } from './task-meta.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/** Entries of one page of a snapshot blob. */
const pageEntries = 10_000;
const dayMs = 86_400_000;

/** Whose state it is, and as of which branch and version. */
export interface SnapshotOwner {
  readonly task: string;
  readonly version: number;
  readonly branch: number;
}

/**
 * Snapshots of tasks: the whole committed state of ONE position (values, engine state, outbox) as a blob, named by an event on the
 * compacted topic `snapshots`. A rebuild is the newest one of its own version plus the log after it.
 */
export class SnapshotKeeper {
  readonly #parts: EngineParts;
  readonly #encoding: EncodingContext;
  /** Records between two snapshots of a task. */
  readonly #everyRecords: number;
  readonly #last = new Map<string, number>();
  /** When that was, or when this process first saw the task. */
  readonly #lastAtMs = new Map<string, number>();
  readonly #running = new Set<string>();
  /** Read once for all tasks. */
  #atStart: Promise<SnapshotList> | undefined;

  constructor(parts: EngineParts, encoding: EncodingContext, everyRecords: number) {
    this.#parts = parts;
    this.#encoding = encoding;
    this.#everyRecords = everyRecords;
  }

  /**
   * Takes a snapshot in the background when enough was folded since the last, or anything and it is a day old: what lies below the second
   * newest may be deleted, also where little comes. Failures are logged, the next one makes up.
   */
  consider(task: string, meta: TaskMeta, position: number, state: TaskState): void {
    const last = this.#last.get(task);
    if (last === undefined) {
      this.#last.set(task, state.position ?? 0);
      this.#lastAtMs.set(task, this.#parts.clock.now());
      void this.#countFromNewest(task).then(() => this.consider(task, meta, position, state));
      return;
    }
    const now = this.#parts.clock.now();
    const isOld = position > last && now - (this.#lastAtMs.get(task) ?? now) >= dayMs;
    if ((position - last < this.#everyRecords && !isOld) || this.#running.has(task)) return;
    this.#last.set(task, position);
    this.#lastAtMs.set(task, now);
    this.#running.add(task);
    this.take({ task, version: meta.version, branch: newestBranch(meta) }, state)
      .catch((error: unknown) => {
        if (!hasCode(error, 'FENCED', 'CLOSED'))
          this.#parts.logger.warn({ task, error: messageOf(error) }, 'a snapshot failed');
      })
      .finally(() => this.#running.delete(task));
  }

  /** What was folded since the newest snapshot counts, also by earlier processes: else those that never live long would take none. */
  async #countFromNewest(task: string): Promise<void> {
    try {
      this.#atStart ??= readSnapshots(this.#parts, this.#encoding);
      const newest = (await this.#atStart).snapshots.get(task)?.[0];
      const last = this.#last.get(task);
      if (newest === undefined || last === undefined) return;
      this.#last.set(task, Math.min(last, newest.position));
      this.#lastAtMs.set(task, newest.takenAtMs);
    } catch (error) {
      this.#parts.logger.debug({ task, error: messageOf(error) }, 'snapshots could not be read');
      this.#atStart = undefined;
    }
  }

  /** Resolves when the snapshot is durable and named; then those that it makes superfluous are dropped. */
  async take({ task, version, branch }: SnapshotOwner, state: TaskState): Promise<void> {
    const { position, entries } = await state.snapshot();
    if (position === undefined) return;
    const { hash, sizeBytes } = await this.#parts.blobs.put(pages(task, entries));
    await this.#name({ task, topologyVersion: version, branch, position, blob: hash, sizeBytes });
    await this.#dropSuperfluous(task);
  }

  /** States where a task begins, before it folds anything: a rebuild of it begins there, under this version. */
  async begin({ task, version, branch }: SnapshotOwner, position: number): Promise<void> {
    await this.#name({ task, topologyVersion: version, branch, position, blob: '', sizeBytes: 0 });
  }

  /** Every snapshot of a task that is named, newest first. */
  async of(task: string): Promise<readonly SnapshotRef[]> {
    return (await readSnapshots(this.#parts, this.#encoding)).snapshots.get(task) ?? [];
  }

  /** The entries of a snapshot, page by page. */
  async *entries({ blob }: SnapshotRef): AsyncIterable<readonly StateEntry[]> {
    if (blob === '') return;
    let rest = Buffer.alloc(0);
    for await (const chunk of this.#parts.blobs.stream(blob)) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
        const end = 4 + rest.readUInt32BE(0);
        const page = decodeValue(rest.subarray(4, end)) as StateEntry[] | string;
        if (typeof page !== 'string') yield page;
        rest = rest.subarray(end);
      }
    }
  }

  async #name(data: EventData['snapshots']['snapshot-taken']): Promise<void> {
    const key = snapshotKey(data);
    const headers = envelopeHeaders({
      id: `${key.replaceAll('/', ':')}@${data.topologyVersion}`,
      by: 'engine',
      topic: 'snapshots',
      type: 'snapshot-taken',
      key,
      timeMs: this.#parts.clock.now(),
      traceparent: undefined,
    });
    const value = this.#encoding.codec.encode('snapshots', 'snapshot-taken', data);
    await this.#parts.log.append([{ topic: this.#encoding.topic('snapshots'), partition: 0, key, value, headers }]);
  }

  /** Blob first: a crash in between leaves an event that names a missing blob, which the next snapshot drops too. */
  async #dropSuperfluous(task: string): Promise<void> {
    const all = await this.of(task);
    const kept = worthKeeping(all);
    const topic = this.#encoding.topic('snapshots');
    for (const ref of all) {
      if (kept.includes(ref)) continue;
      if (ref.blob !== '' && !kept.some(({ blob }) => blob === ref.blob)) await this.#parts.blobs.delete(ref.blob);
      await this.#parts.log.append([{ topic, partition: 0, key: snapshotKey(ref), value: null, headers: {} }]);
    }
  }
}

/**
 * Each page: length as a big-endian 32-bit integer, then MessagePack of its entries. The first page is the task's name, so that no two
 * tasks share a blob and each can be deleted with its snapshot.
 */
async function* pages(task: string, entries: AsyncIterable<readonly StateEntry[]>): AsyncIterable<Uint8Array> {
  yield* framed(task);
  for await (const batch of entries) {
    for (let from = 0; from < batch.length; from += pageEntries) yield* framed(batch.slice(from, from + pageEntries));
  }
}

function* framed(page: unknown): Iterable<Uint8Array> {
  const bytes = encodeValue(page);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length, 0);
  yield length;
  yield bytes;
}
