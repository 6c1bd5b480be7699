import { partitionName, type StartPosition } from '../../ports/log.ts';

/** Sends commits one after another; what comes meanwhile is sent together, the latest position per partition. */
export class CommitQueue {
  readonly #send: (positions: readonly StartPosition[]) => Promise<void>;
  #waiting = new Map<string, StartPosition>();
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(send: (positions: readonly StartPosition[]) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when these positions, or later ones of the same partitions, were sent. */
  commit(positions: readonly StartPosition[]): Promise<void> {
    for (const position of positions) this.#waiting.set(partitionName(position), position);
    this.#next ??= this.#sendNext(this.#last);
    this.#last = this.#next;
    return this.#next;
  }

  /** Resolves when nothing is outstanding, whatever came of it. */
  async idle(): Promise<void> {
    while (this.#next !== undefined) await settled(this.#next);
    await settled(this.#last);
  }

  async #sendNext(before: Promise<void>): Promise<void> {
    await settled(before);
    this.#next = undefined;
    const positions = [...this.#waiting.values()];
    this.#waiting = new Map();
    await this.#send(positions);
  }
}

const settled = (promise: Promise<void>): Promise<void> => promise.catch(() => undefined);
