import { openKafkaLog, type KafkaLogOptions } from '../../../runtime/adapters/kafka-log/kafka-log.ts';
import { type Log } from '../../../runtime/ports/log.ts';
import { killWhileAppending } from '../../conformance/log/kill-while-appending.ts';
import { fillerKey, type LogHarness } from '../../conformance/log/log-harness.ts';
import { until } from '../../conformance/log/until.ts';
import { alterTopic } from './alter-topic.ts';
import { type TcpProxy } from './tcp-proxy.ts';
import { compiledFile } from '../../compiled.ts';

const adapter = compiledFile(new URL('../../../runtime/adapters/kafka-log/kafka-log.ts', import.meta.url));

/** One case of the suite on a real broker. `proxy` stands between, for adapters that lose their connections. */
export async function createKafkaHarness(options: KafkaLogOptions, proxy?: TcpProxy): Promise<LogHarness> {
  return KafkaHarness.create(options, proxy);
}

class KafkaHarness implements LogHarness {
  readonly deadlineMs = 30_000;
  readonly #options: KafkaLogOptions;
  readonly #proxy: TcpProxy | undefined;
  #log: Log;

  private constructor(options: KafkaLogOptions, proxy: TcpProxy | undefined, log: Log) {
    this.#options = options;
    this.#proxy = proxy;
    this.#log = log;
  }

  static async create(options: KafkaLogOptions, proxy: TcpProxy | undefined): Promise<LogHarness> {
    return new KafkaHarness(options, proxy, await openKafkaLog(options));
  }

  get log(): Log {
    return this.#log;
  }

  async reopen(): Promise<Log> {
    await this.#log.close();
    this.#log = await openKafkaLog(this.#options);
    return this.#log;
  }

  async killWhileAppending(topic: string, callsMin: number) {
    await this.#log.close();
    const child = { module: adapter, open: 'openKafkaLog', options: this.#options };
    const told = await killWhileAppending(child, topic, callsMin);
    this.#log = await openKafkaLog(this.#options);
    return told;
  }

  /** Brokers go by their own clock, so "later" is a shorter retention for a while. */
  async clean(topic: string, laterMs: number): Promise<void> {
    if (laterMs === 0) return this.#compact(topic);
    const restore = await alterTopic(this.#options.brokers, topic, { 'retention.ms': '1' });
    await until(this, `the broker had cleaned ${topic}`, async () => {
      const [start, end] = [await this.#log.startOffsets(topic), await this.#log.endOffsets(topic)];
      return start.every((offset, partition) => offset === end[partition]);
    });
    await restore();
  }

  /** The newest segment is never compacted, and only an append begins another. */
  async #compact(topic: string): Promise<void> {
    const soon = { 'segment.ms': '50', 'min.cleanable.dirty.ratio': '0', 'max.compaction.lag.ms': '50' };
    await alterTopic(this.#options.brokers, topic, soon);
    await until(
      this,
      `the broker had compacted ${topic}`,
      async () => {
        await this.#log.append([{ topic, partition: 0, key: fillerKey, value: Buffer.of(), headers: {} }]);
        for await (const [first] of this.#log.read({ topic, partition: 0 }, { from: 0 })) return first?.offset !== 0;
        return false;
      },
      200,
    );
  }

  dropConnections(): Promise<void> {
    this.#proxy?.dropConnections();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#log.close();
  }
}
