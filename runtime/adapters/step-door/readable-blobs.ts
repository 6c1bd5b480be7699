import type { TaskWork } from '../../ports/task-executor.ts';
import { toJson } from './task-json.ts';

const hashes = /\b[0-9a-f]{64}\b/g;

/**
 * Blobs that one task may read: those that its work names, those named by the packs that it has read, and what it wrote itself. Nothing
 * else in the store is there for it.
 */
export class ReadableBlobs {
  readonly #known: Set<string>;
  readonly #packs: ReadonlySet<string>;

  constructor(work: TaskWork) {
    this.#known = new Set(toJson(work).match(hashes));
    this.#packs = new Set((work.packs ?? []).map(({ hash }) => hash));
  }

  has(hash: string): boolean {
    return this.#known.has(hash);
  }

  /** A pack of results names artifacts: what it holds has to be read before it is handed out. */
  isPack(hash: string): boolean {
    return this.#packs.has(hash);
  }

  addPack(content: Uint8Array): void {
    for (const hash of Buffer.from(content).toString('utf8').match(hashes) ?? []) this.#known.add(hash);
  }

  add(hash: string): void {
    this.#known.add(hash);
  }
}
