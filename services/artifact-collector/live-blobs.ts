/**
 * Which blobs are in use. Roots are all records that are on the log, whatever their topic, and the blobs of snapshots, which hold what the
 * state of folds names; of runs that have expired only what something else names. The query store names what runs wrote whose records
 * are on the log no longer.
 */
import { header, textHeader } from '../../runtime/engine/envelope.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { hasCode } from '../../runtime/ports/errors.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import { type TopicName, topicNames } from '../../schemas/topics.ts';
import { hashesIn, hashesOfStream } from './hash-scan.ts';

/** Topics whose records are about one run each; their keys begin with its id. */
const runTopics: ReadonlySet<string> = new Set<TopicName>([
  'runs',
  'tasks',
  'task-control',
  'task-output',
  'artifacts',
]);

export class LiveBlobs {
  readonly #runtime: Runtime;
  readonly #expired: ReadonlySet<string>;
  readonly #live = new Set<string>();
  /** Next offset to look at, by topic and partition. */
  readonly #next = new Map<string, number[]>();

  constructor(runtime: Runtime, expired: ReadonlySet<string>) {
    this.#runtime = runtime;
    this.#expired = expired;
  }

  get size(): number {
    return this.#live.size;
  }

  has(hash: string): boolean {
    return this.#live.has(hash);
  }

  add(hashes: Iterable<string>): void {
    for (const hash of hashes) this.#live.add(hash);
  }

  /** Looks at all records from where it was before to the present end of the log. */
  async readLog(): Promise<void> {
    for (const name of topicNames) {
      const topic = this.#runtime.topic(name);
      const { log } = this.#runtime.parts;
      const [starts, ends] = [await log.startOffsets(topic), await log.endOffsets(topic)];
      const next = this.#next.get(name) ?? [];
      this.#next.set(name, [...ends]);
      for (const [partition, end] of ends.entries()) {
        const from = Math.max(next[partition] ?? 0, starts[partition] ?? 0);
        if (from >= end) continue;
        for await (const records of log.read({ topic, partition }, { from, to: end }))
          for (const record of records) await this.#record(name, record);
      }
    }
  }

  async #record(topic: TopicName, record: LogRecord): Promise<void> {
    // a value that lies elsewhere is needed for as long as its record is there
    const claimed = textHeader(record, header.claim)?.split(':')[0];
    if (claimed !== undefined) this.#live.add(claimed);
    if (runTopics.has(topic) && this.#expired.has(String(record.key ?? '').split('/')[0] ?? '')) return;
    // of those that tasks still need, the query store knows and, while the tasks are open, the state
    if (/\.checkpoint-(saved|written)\.v\d+$/.test(textHeader(record, header.type) ?? '')) return;
    if (record.value !== null) {
      const named = hashesIn(record.value);
      this.add(named);
      if (topic === 'snapshots') for (const blob of named) await this.#content(blob);
    }
    if (claimed !== undefined) await this.#content(claimed);
  }

  async #content(blob: string): Promise<void> {
    try {
      for await (const hash of hashesOfStream(this.#runtime.parts.blobs.stream(blob))) this.#live.add(hash);
    } catch (error) {
      // a snapshot that was dropped since
      if (!hasCode(error, 'NOT_FOUND')) throw error;
    }
  }
}
