import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../ports/errors.ts';
import { type LogRecord, partitionName, type StartPosition, type TopicPartition } from '../../ports/log.ts';
import { fetchRecords, type FetchedPartition } from './fetch-request.ts';
import { type KafkaCluster } from './kafka-cluster.ts';
import { isLasting, asMillraceError, wireCodes } from './kafka-errors.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { offsetOf } from './offsets.ts';
import { backoffMs, retrying, Signal } from './retrying.ts';

/** How long a broker holds a fetch while some partition is paused. */
const pausedWaitMs = 20;

export interface FetcherSink {
  records(partition: TopicPartition, records: readonly LogRecord[], endOffset: number): void;
  /** No record lies in `[from, to)`. */
  passed(partition: TopicPartition, from: number, to: number): void;
  failed(error: unknown): void;
}

/** A partition that is being read. */
interface Target {
  readonly where: TopicPartition;
  position: number;
  paused: boolean;
  /** Not fetched: its position is not known yet, or out of range, and is being looked up. */
  blocked: boolean;
  /** Arrived while it was paused: delivered first on resume. */
  held: FetchedPartition | undefined;
  node: number | undefined;
}

/**
 * Reads partitions from their leaders and delivers in offset order: one loop per broker, each with one fetch on the way. Pausing is by
 * partition and takes effect at once.
 */
export class Fetcher {
  readonly #cluster: KafkaCluster;
  readonly #options: ResolvedKafkaOptions;
  readonly #sink: FetcherSink;
  readonly #targets = new Map<string, Target>();
  readonly #loops = new Map<number, { readonly signal: Signal; readonly done: Promise<void> }>();
  #finding = false;
  #closed = false;

  constructor(cluster: KafkaCluster, options: ResolvedKafkaOptions, sink: FetcherSink) {
    this.#cluster = cluster;
    this.#options = options;
    this.#sink = sink;
  }

  /** Takes these partitions in place of all before. They can be paused at once; nothing is read until `start`. */
  prepare(partitions: readonly TopicPartition[]): void {
    this.#targets.clear();
    for (const where of partitions) {
      this.#targets.set(partitionName(where), {
        where,
        position: 0,
        paused: false,
        blocked: true,
        held: undefined,
        node: undefined,
      });
    }
  }

  /** Begins to deliver prepared partitions from these positions. */
  start(positions: readonly StartPosition[]): void {
    for (const position of positions) {
      const target = this.#targets.get(partitionName(position));
      if (target === undefined) continue;
      target.position = position.offset;
      target.blocked = false;
    }
    this.#followLeaders();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const where of partitions) {
      const target = this.#targets.get(partitionName(where));
      if (target !== undefined) target.paused = true;
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const where of partitions) {
      const target = this.#targets.get(partitionName(where));
      if (target === undefined) continue;
      target.paused = false;
      if (target.held !== undefined) setImmediate(() => this.#release(target));
      else if (target.node !== undefined) this.#loops.get(target.node)?.signal.wake();
    }
  }

  /** No delivery after it was called; resolves when the loops have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#targets.clear();
    const loops = [...this.#loops.values()];
    for (const { signal } of loops) signal.wake();
    await Promise.all(loops.map(({ done }) => done));
  }

  #followLeaders(): void {
    for (const target of this.#targets.values()) target.node = undefined;
    if (!this.#followKnown()) this.#findLeaders();
  }

  /** Reads on where a leader is known; false when one is missing. */
  #followKnown(): boolean {
    let all = true;
    for (const target of this.#targets.values()) {
      if (target.node !== undefined) continue;
      target.node = this.#cluster.leader(target.where);
      if (target.node === undefined) all = false;
      else this.#wakeLoop(target.node);
    }
    return all;
  }

  #wakeLoop(node: number): void {
    const loop = this.#loops.get(node);
    if (loop !== undefined) return loop.signal.wake();
    const signal = new Signal();
    this.#loops.set(node, { signal, done: this.#run(node, signal) });
  }

  /** Asks for leaders until every partition has one; those that have one are read meanwhile. */
  #findLeaders(): void {
    if (this.#finding) return;
    this.#finding = true;
    void (async () => {
      for (let attempt = 0; !this.#closed; attempt++) {
        await sleep(backoffMs(attempt));
        const without = [...this.#targets.values()].filter(({ node }) => node === undefined);
        await this.#cluster.refresh([...new Set(without.map(({ where }) => where.topic))]).catch(() => undefined);
        if (this.#closed || this.#followKnown()) break;
      }
      this.#finding = false;
    })();
  }

  /** These are not read before their leaders were asked for. */
  #lookUp(targets: readonly Target[]): void {
    for (const target of targets) target.node = undefined;
    this.#findLeaders();
  }

  async #run(node: number, signal: Signal): Promise<void> {
    let rotation = 0;
    let failures = 0;
    while (!this.#closed) {
      const wanted = [...this.#targets.values()].filter((target) => target.node === node && isReadable(target));
      if (wanted.length === 0) {
        await signal.wait();
        continue;
      }
      rotation = (rotation + 1) % wanted.length; // each partition is first in its turn: the byte limit is shared fairly
      const order = [...wanted.slice(rotation), ...wanted.slice(0, rotation)];
      try {
        await this.#fetchOnce(node, order);
        failures = 0;
      } catch (error) {
        if (this.#closed) return;
        if (isLasting(error)) return this.#fail(asMillraceError(error, 'reading'));
        await sleep(backoffMs(failures++));
        this.#lookUp(wanted);
      }
    }
  }

  /** A paused partition may be resumed soon, and must then not wait for what the others wait for. */
  #somePaused(node: number): boolean {
    return [...this.#targets.values()].some((target) => target.node === node && target.paused);
  }

  async #fetchOnce(node: number, wanted: readonly Target[]): Promise<void> {
    const broker = await this.#cluster.broker(node);
    const positions = wanted.map(({ where, position }) => ({ ...where, offset: position }));
    const answers = await fetchRecords(broker, positions, {
      waitMs: this.#somePaused(node) ? pausedWaitMs : this.#options.fetchWaitMs,
      bytesMax: this.#options.fetchBytesMax,
      bytesPerPartition: this.#options.fetchBytesPerPartition,
    });
    const stale: Target[] = [];
    for (const answer of answers) {
      const target = this.#targets.get(partitionName(answer));
      // Revoked, or assigned anew, while the fetch was on the way: it is not the target that was asked for.
      if (target === undefined || !wanted.includes(target) || target.position !== answer.offset) continue;
      if (!this.#accept(target, answer)) stale.push(target);
    }
    if (stale.length > 0) this.#lookUp(stale);
  }

  /** False when the leader must be looked up anew. */
  #accept(target: Target, answer: FetchedPartition): boolean {
    if (answer.unreadable !== undefined) {
      this.#fail(answer.unreadable);
      return true;
    }
    if (answer.code === wireCodes.offsetOutOfRange) {
      target.blocked = true;
      void this.#backIntoRange(target).catch((error: unknown) => this.#fail(asMillraceError(error, 'reading')));
      return true;
    }
    if (answer.code === wireCodes.topicAuthorizationFailed) {
      this.#fail(
        new MillraceError(
          'FORBIDDEN',
          `Kafka does not let this client read topic "${target.where.topic}". Check its ACLs.`,
        ),
      );
      return true;
    }
    if (answer.code !== wireCodes.none) return false;
    if (target.paused) target.held = answer;
    else this.#deliver(target, answer);
    return true;
  }

  /** Behind the start (retention, truncation): goes on at the start, as the port says. Beyond the end: the log shrank. */
  async #backIntoRange(target: Target): Promise<void> {
    const { topic, partition } = target.where;
    const [start, end] = await retrying(
      `looking up offsets of ${partitionName(target.where)}`,
      this.#options.operationTimeoutMs,
      () => Promise.all([offsetOf(this.#cluster, target.where, 'start'), offsetOf(this.#cluster, target.where, 'end')]),
    );
    if (this.#targets.get(partitionName(target.where)) !== target) return;
    if (target.position > end) {
      const message = `Partition ${partition} of topic "${topic}" ends at ${end}, but is read at ${target.position}: the log shrank or was created anew.`;
      this.#fail(
        new MillraceError('STATE_AHEAD_OF_LOG', message, {
          details: { topic, partition, end, position: target.position },
        }),
      );
      return;
    }
    target.position = Math.max(target.position, start);
    target.blocked = false;
    if (target.node !== undefined) this.#wakeLoop(target.node);
  }

  #release(target: Target): void {
    const { held } = target;
    if (held === undefined || target.paused || this.#targets.get(partitionName(target.where)) !== target) return;
    target.held = undefined;
    this.#deliver(target, held);
    if (target.node !== undefined) this.#wakeLoop(target.node);
  }

  #deliver(target: Target, { records, nextOffset, endOffset }: FetchedPartition): void {
    const from = (records.at(-1)?.offset ?? target.position - 1) + 1;
    target.position = nextOffset;
    if (records.length > 0) this.#sink.records(target.where, records, endOffset);
    if (from < nextOffset) this.#sink.passed(target.where, from, nextOffset);
  }

  #fail(error: MillraceError): void {
    if (this.#closed) return;
    this.#targets.clear();
    this.#sink.failed(error);
  }
}

const isReadable = ({ paused, blocked, held }: Target): boolean => !paused && !blocked && held === undefined;
