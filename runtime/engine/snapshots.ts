import { hasCode, messageOf } from '../ports/errors.ts';
import type { StateEntry, TaskState } from '../ports/state-store.ts';
import { envelopeHeaders } from './envelope.ts';
import type { EncodingContext } from './output-encoder.ts';
import type { EngineParts } from './runtime.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/** The newest snapshot of a task, as the topic `snapshots` names it. */
export interface SnapshotRef {
  readonly topologyVersion: number;
  readonly position: number;
  readonly blob: string;
}

/** Entries of one page of a snapshot blob. */
const pageEntries = 10_000;

/**
 * Snapshots of tasks: the whole committed state of ONE position (values, engine state, outbox) as a blob, named by an event on the
 * compacted topic `snapshots`. A rebuild is the newest one plus the log after it.
 */
export class SnapshotKeeper {
  readonly #parts: EngineParts;
  readonly #encoding: EncodingContext;
  /** Records between two snapshots of a task. */
  readonly #everyRecords: number;
  readonly #last = new Map<string, number>();
  readonly #running = new Set<string>();

  constructor(parts: EngineParts, encoding: EncodingContext, everyRecords: number) {
    this.#parts = parts;
    this.#encoding = encoding;
    this.#everyRecords = everyRecords;
  }

  /** Takes a snapshot in the background when enough was folded since the last; failures are logged, the next one makes up. */
  consider(task: string, topologyVersion: number, position: number, state: TaskState): void {
    const last = this.#last.get(task);
    if (last === undefined) {
      this.#last.set(task, state.position ?? 0);
      return;
    }
    if (position - last < this.#everyRecords || this.#running.has(task)) return;
    this.#last.set(task, position);
    this.#running.add(task);
    this.take(task, topologyVersion, state)
      .catch((error: unknown) => {
        if (!hasCode(error, 'FENCED', 'CLOSED'))
          this.#parts.logger.warn({ task, error: messageOf(error) }, 'a snapshot failed');
      })
      .finally(() => this.#running.delete(task));
  }

  async take(task: string, topologyVersion: number, state: TaskState): Promise<SnapshotRef | undefined> {
    const snapshot = await state.snapshot();
    if (snapshot.position === undefined) return undefined;
    const { hash, sizeBytes } = await this.#parts.blobs.put(pages(snapshot.entries));
    const data = { task, topologyVersion, position: snapshot.position, blob: hash, sizeBytes };
    const value = this.#encoding.codec.encode('snapshots', 'snapshot-taken', data);
    const headers = envelopeHeaders({
      id: `${hash}@${snapshot.position}`,
      by: 'engine',
      topic: 'snapshots',
      type: 'snapshot-taken',
      key: task,
      timeMs: this.#parts.clock.now(),
      traceparent: undefined,
    });
    await this.#parts.log.append([
      { topic: this.#encoding.topic('snapshots'), partition: 0, key: task, value, headers },
    ]);
    return data;
  }

  /** The newest snapshot of a task; undefined when there is none. */
  async newest(task: string): Promise<SnapshotRef | undefined> {
    let newest: SnapshotRef | undefined;
    const topic = this.#encoding.topic('snapshots');
    for await (const records of this.#parts.log.read({ topic, partition: 0 }, { from: 0 })) {
      for (const record of records) {
        if (record.value === null || record.key?.toString('utf8') !== task) continue;
        newest = this.#encoding.codec.decode('snapshots', record.value).data;
      }
    }
    return newest;
  }

  /** The entries of a snapshot, page by page. */
  async *entries(snapshot: SnapshotRef): AsyncIterable<readonly StateEntry[]> {
    let rest = Buffer.alloc(0);
    for await (const chunk of this.#parts.blobs.stream(snapshot.blob)) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
        const end = 4 + rest.readUInt32BE(0);
        yield decodeValue(rest.subarray(4, end)) as StateEntry[];
        rest = rest.subarray(end);
      }
    }
  }
}

/** Each page: length as a big-endian 32-bit integer, then MessagePack of its entries. */
async function* pages(entries: AsyncIterable<readonly StateEntry[]>): AsyncIterable<Uint8Array> {
  for await (const batch of entries) {
    for (let from = 0; from < batch.length; from += pageEntries) {
      const page = encodeValue(batch.slice(from, from + pageEntries));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(page.length, 0);
      yield length;
      yield page;
    }
  }
}
