import { partitionName, type TopicPartition } from '../ports/log.ts';
import { header } from './envelope.ts';
import type { EngineParts } from './runtime.ts';

interface Tick {
  readonly id: string;
  readonly sentAtMs: number;
  /** Known once it is acknowledged. */
  offset: number | undefined;
  readonly written: Promise<unknown>;
}

/** A tick that no reader has seen after this long is given up, milliseconds. */
const lostAfterMs = 60_000;

/**
 * The ticks that this process writes. One tick moves time for every topology of its topic, so of several that fall due together one
 * asks, and the others wait for the same record.
 */
export class Ticks {
  readonly #parts: EngineParts;
  readonly #last = new Map<string, Tick>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /**
   * Writes a tick unless one lies, or is on its way, at or behind `position`. Resolves when it is acknowledged. `sent` hears the id of a
   * tick that goes out now.
   */
  async write(place: TopicPartition, position: number, sent: (id: string) => void): Promise<void> {
    const name = partitionName(place);
    const { log, clock, ids } = this.#parts;
    const last = this.#last.get(name);
    if (last !== undefined && clock.now() - last.sentAtMs < lostAfterMs && (last.offset ?? position) >= position) {
      await last.written;
      return;
    }
    const id = ids.next();
    sent(id);
    const headers = { [header.control]: 'tick', [header.id]: id };
    const written = log.append([{ ...place, key: null, value: Buffer.alloc(0), headers }]);
    const tick: Tick = { id, sentAtMs: clock.now(), offset: undefined, written };
    this.#last.set(name, tick);
    try {
      [tick.offset] = await written;
    } catch (error) {
      if (this.#last.get(name) === tick) this.#last.delete(name);
      throw error;
    }
  }
}
