import type { ArtifactRef, TaskListener } from '../../ports/task-executor.ts';
import type { DoorClient } from './door-client.ts';

/** Lines and cards are told so often, and that the pod is alive so often, milliseconds. */
const sayEveryMs = 250;
const aliveEveryMs = 5_000;
const linesMax = 2_000;

/** Tells the worker what the step writes, in order; what cannot be told is in the outcome anyway. */
export class PodOutput implements TaskListener {
  readonly #door: DoorClient;
  #lines: string[] = [];
  readonly #cards = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #saidAt = performance.now();
  #saying: Promise<void> | undefined;

  constructor(door: DoorClient) {
    this.#door = door;
    this.#timer = setInterval(() => {
      const something = this.#lines.length > 0 || this.#cards.size > 0;
      if (something || performance.now() - this.#saidAt > aliveEveryMs) this.#say();
    }, sayEveryMs);
  }

  line(line: string): void {
    this.#lines.push(line);
  }

  card(name: string, document: Uint8Array): void {
    this.#cards.set(name, Buffer.from(document).toString('utf8'));
  }

  checkpoint(saved: ArtifactRef): Promise<void> {
    return this.#door.checkpoint(saved);
  }

  /** What is left is said by the outcome. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saying;
  }

  #say(): void {
    if (this.#saying !== undefined) return;
    const lines = this.#lines.splice(0, linesMax);
    const cards = [...this.#cards].map(([name, document]) => ({ name, document }));
    this.#cards.clear();
    this.#saidAt = performance.now();
    this.#saying = this.#door
      .say({ lines, cards })
      .catch(() => undefined)
      .finally(() => {
        this.#saying = undefined;
      });
  }
}
