import { createServer } from 'node:net';
import type { GangAssembled, TaskDispatched } from '../../schemas/events.ts';

const rememberedMax = 10_000;

/** Which gangs may begin: members that have started wait here for all others. */
export class Gangs {
  readonly #addresses = new Map<string, string>();
  readonly #waiting = new Map<string, Set<(address: string) => void>>();

  hear({ runId, point, round, address }: GangAssembled): void {
    const key = keyOf(runId, point, round);
    this.#addresses.set(key, address);
    for (const resolve of this.#waiting.get(key) ?? []) resolve(address);
    this.#waiting.delete(key);
    const [oldest] = this.#addresses.keys();
    if (this.#addresses.size > rememberedMax && oldest !== undefined) this.#addresses.delete(oldest);
  }

  /** The address of rank 0 once all members have started; undefined when the signal aborts first. */
  async assembled({ runId, gang }: TaskDispatched, signal: AbortSignal): Promise<string | undefined> {
    if (gang === undefined || gang === null || signal.aborted) return undefined;
    const key = keyOf(runId, gang.point, gang.round);
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    return await new Promise((resolve) => {
      const waiters = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiters);
      const answer = (address: string): void => {
        signal.removeEventListener('abort', abandon);
        resolve(address);
      };
      const abandon = (): void => {
        waiters.delete(answer);
        if (waiters.size === 0) this.#waiting.delete(key);
        resolve(undefined);
      };
      waiters.add(answer);
      signal.addEventListener('abort', abandon, { once: true });
    });
  }
}

/** A port of this machine that nobody listens on now. */
export async function freeAddress(host: string): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return `${host}:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

function keyOf(runId: string, point: string, round: number): string {
  return `${runId}/${point}/${round}`;
}
