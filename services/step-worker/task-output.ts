import { idOf } from '../../schemas/derived-ids.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { TaskListener } from '../../runtime/ports/task-executor.ts';
import type { TaskDispatched } from '../../schemas/events.ts';
import { tokenOf } from './claim.ts';
import type { WorkerName } from './facts.ts';

/** What has come is said so often, milliseconds: most steps have ended before, and their ends say it all. */
const sayEveryMs = 250;
/** Of the lines in one record. */
const recordBytesMax = 64 * 1024;

/** What a running attempt has written and nobody was told yet. */
interface Unsaid {
  readonly dispatched: TaskDispatched;
  lines: string[];
  /** Number of the first of the lines. */
  firstLine: number;
  /** Newest documents of cards that have changed. */
  readonly cards: Map<string, Uint8Array>;
  updates: number;
}

/**
 * Says on `task-output` what running steps write, for whoever looks on, and for the time after this worker's death. It can wait and fail
 * without harm: the end of an attempt names its whole log and its cards.
 */
export class TaskOutput {
  readonly #runtime: Runtime;
  readonly #name: WorkerName;
  readonly #open = new Set<Unsaid>();
  #timer: (() => void) | undefined;
  #saying: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(runtime: Runtime, name: WorkerName) {
    this.#runtime = runtime;
    this.#name = name;
  }

  /** For one attempt. After `end` nothing more is said of it: its terminal fact tells the rest. */
  of(dispatched: TaskDispatched): {
    readonly listener: Pick<TaskListener, 'line' | 'card'>;
    readonly flush: () => Promise<void>;
    readonly end: () => void;
  } {
    const unsaid: Unsaid = { dispatched, lines: [], firstLine: 0, cards: new Map(), updates: 0 };
    this.#open.add(unsaid);
    return {
      listener: {
        line: (line) => {
          unsaid.lines.push(line);
          this.#soon();
        },
        card: (name, document) => {
          unsaid.cards.set(name, document);
          this.#soon();
        },
      },
      flush: () => this.#sayNext(),
      end: () => void this.#open.delete(unsaid),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.();
    await this.#last;
  }

  #soon(): void {
    if (this.#closed || this.#timer !== undefined || this.#saying !== undefined) return;
    this.#timer = this.#runtime.parts.clock.after(sayEveryMs, () => {
      this.#timer = undefined;
      this.#saying = this.#sayNext().finally(() => {
        this.#saying = undefined;
        if ([...this.#open].some(({ lines, cards }) => lines.length > 0 || cards.size > 0)) this.#soon();
      });
    });
  }

  /** One after the other: two at once would say the same lines, and forget twice as many. */
  #sayNext(): Promise<void> {
    this.#last = this.#last.then(() => this.#say());
    return this.#last;
  }

  /** Lines that could not be said stay, and are said again with what came since; cards are said again with their next change. */
  async #say(): Promise<void> {
    const spoken: (() => void)[] = [];
    try {
      const facts: IdentifiedOutput[] = [];
      for (const unsaid of this.#open) {
        const lines = this.#lines(unsaid);
        facts.push(...lines.facts, ...(await this.#cards(unsaid)));
        spoken.push(() => {
          unsaid.lines.splice(0, lines.count);
          unsaid.firstLine += lines.count;
        });
      }
      if (facts.length > 0) await this.#runtime.publish(facts);
      for (const forget of spoken) forget();
    } catch (error) {
      const { worker } = this.#name;
      this.#runtime.parts.logger.warn({ worker, error: messageOf(error) }, 'output of running steps could not be said');
    }
  }

  #lines(unsaid: Unsaid): { readonly facts: readonly IdentifiedOutput[]; readonly count: number } {
    const facts: IdentifiedOutput[] = [];
    const { runId, taskId, token, id } = this.#about(unsaid.dispatched);
    let count = 0;
    while (count < unsaid.lines.length) {
      const firstLine = unsaid.firstLine + count;
      const rest = unsaid.lines.slice(count);
      const lines = rest.slice(0, countWithin(rest, recordBytesMax));
      count += lines.length;
      const data = { runId, taskId, token, worker: this.#name.worker, firstLine, lines };
      const said = id('lines', firstLine, lines.length);
      facts.push({ topic: 'task-output', type: 'output-written', key: runId, id: said, data });
    }
    return { facts, count };
  }

  async #cards(unsaid: Unsaid): Promise<IdentifiedOutput[]> {
    const changed = [...unsaid.cards];
    unsaid.cards.clear();
    const { runId, taskId, token, id } = this.#about(unsaid.dispatched);
    return await Promise.all(
      changed.map(async ([name, document]): Promise<IdentifiedOutput> => {
        const update = ++unsaid.updates;
        const { hash, sizeBytes } = await this.#runtime.parts.blobs.put(Buffer.from(document));
        const card = { name, hash, sizeBytes, codec: 'json' };
        const data = { runId, taskId, token, worker: this.#name.worker, update, card };
        return { topic: 'task-output', type: 'card-updated', key: runId, id: id('card', update), data };
      }),
    );
  }

  #about(dispatched: TaskDispatched) {
    const { runId, taskId } = dispatched;
    const { incarnation } = this.#name;
    const token = tokenOf(dispatched, incarnation);
    const id = (what: string, ...numbers: readonly number[]): string =>
      idOf(what, runId, taskId, token.attempt, token.dispatch, incarnation, ...numbers);
    return { runId, taskId, token, id };
  }
}

/** How many of the first lines fit; one at least. */
function countWithin(lines: readonly string[], bytesMax: number): number {
  let bytes = 0;
  const over = lines.findIndex((line) => (bytes += Buffer.byteLength(line)) > bytesMax);
  return over < 0 ? lines.length : Math.max(1, over);
}
