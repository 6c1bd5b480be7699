import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/index.ts';
import type { TopicName } from '../../schemas/topics.ts';

export interface ReadPosition {
  readonly topic: TopicName;
  readonly partition: number;
  readonly position: number;
}

/** Whoever was silent for `log.keep_days` is no reader any more, so an idle one says where it is now and then. */
const everyMs = 60_000;
const aliveEveryMs = 3_600_000;

/**
 * Tells `log-keeper` how far a projection has read, since it has no consumer group: nothing is deleted that is not in its store yet.
 * `positions` is asked each time.
 */
export class PositionReports implements Running {
  readonly #runtime: Runtime;
  readonly #reader: string;
  readonly #positions: () => Promise<readonly ReadPosition[]>;
  readonly #said = new Map<string, { position: number; atMs: number }>();
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(runtime: Runtime, reader: string, positions: () => Promise<readonly ReadPosition[]>) {
    this.#runtime = runtime;
    this.#reader = reader;
    this.#positions = positions;
  }

  /** Resolves when the first report is acknowledged: from then on the reader is known. */
  async start(): Promise<void> {
    await this.say();
    this.#schedule();
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    return Promise.resolve();
  }

  /** Says what has moved, or was not said for an hour. */
  async say(): Promise<void> {
    const nowMs = this.#runtime.parts.clock.now();
    const due = (await this.#positions()).filter(({ topic, partition, position }) => {
      const said = this.#said.get(`${topic}/${partition}`);
      return said === undefined || said.position !== position || nowMs - said.atMs >= aliveEveryMs;
    });
    if (due.length === 0) return;
    await this.#runtime.publish(
      due.map(({ topic, partition, position }) => {
        const key = `${this.#reader}@${topic}/${partition}`;
        const data = { reader: this.#reader, topic, partition, position };
        const id = `${key}@${position}@${nowMs}`.replaceAll('/', ':');
        return { topic: 'snapshots', type: 'position-reported', key, data, id } as const;
      }),
    );
    for (const { topic, partition, position } of due)
      this.#said.set(`${topic}/${partition}`, { position, atMs: nowMs });
  }

  #schedule(): void {
    const { clock, logger } = this.#runtime.parts;
    this.#cancel = clock.after(everyMs, () => {
      this.say()
        .catch((error: unknown) => {
          if (!this.#closed)
            logger.warn({ reader: this.#reader, error: messageOf(error) }, 'a position could not be reported');
        })
        .finally(() => {
          if (!this.#closed) this.#schedule();
        });
    });
  }
}
