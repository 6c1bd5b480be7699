import { hasCode } from '../../../runtime/ports/errors.ts';
import { type Log } from '../../../runtime/ports/log.ts';
import { readAll, record, text } from '../../conformance/log/builders.ts';
import { until } from '../../conformance/log/until.ts';

/** Appends numbered records to each partition, one call after another, until it is stopped; says again what had an unknown outcome. */
export class ContinuousLoad {
  readonly acknowledged: number[];
  unknown = 0;
  readonly #log: Log;
  readonly #topic: string;
  readonly #workers: Promise<void>[];
  #stopped = false;
  /** Why a worker ended before it was stopped. */
  #failure: unknown;

  constructor(log: Log, topic: string, partitions: number) {
    this.#log = log;
    this.#topic = topic;
    this.acknowledged = new Array<number>(partitions).fill(0);
    this.#workers = this.acknowledged.map((_, partition) => this.#run(partition));
    for (const worker of this.#workers) worker.catch((error: unknown) => (this.#failure ??= error)); // said by until and stop
  }

  /** Waits until the counts fulfil the condition; fails at once, with its reason, when a partition can no longer be written. */
  async until(deadlineMs: number, name: string, condition: () => boolean): Promise<void> {
    const holds = (): boolean => {
      if (this.#failure !== undefined) throw new Error(`A worker ended before ${name}.`, { cause: this.#failure });
      return condition();
    };
    await until({ deadlineMs }, name, holds).catch((cause: unknown) => {
      throw new Error(`Appended to the partitions: ${this.acknowledged.join(', ')}; ${this.unknown} unknown.`, {
        cause,
      });
    });
  }

  get total(): number {
    return this.acknowledged.reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
  }

  /** Values of each partition, as they lie on the log. */
  async written(): Promise<readonly (readonly number[])[]> {
    const partitions = this.acknowledged.map((_, partition) => readAll(this.#log, this.#topic, partition));
    return (await Promise.all(partitions)).map((all) => all.map((one) => Number(text(one))));
  }

  async #run(partition: number): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#log.append([record(this.#topic, String(this.acknowledged[partition]), { partition })]);
        this.acknowledged[partition]!++;
      } catch (error) {
        if (!hasCode(error, 'UNKNOWN_OUTCOME')) throw error;
        this.unknown++;
      }
    }
  }
}
