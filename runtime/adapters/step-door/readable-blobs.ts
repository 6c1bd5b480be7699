import { hash as hashOf } from 'node:crypto';
import { MillraceError } from '../../ports/errors.ts';
import type { ArtifactRef, TaskWork } from '../../ports/task-executor.ts';
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

  /**
   * What a pod names must be what it was given or has written: whoever works on with the name may read the blob. Bytes that travel with
   * their name must be those of the hash. FORBIDDEN otherwise.
   */
  check(named: readonly (Pick<ArtifactRef, 'hash' | 'inline'> | undefined)[]): void {
    for (const ref of named) {
      if (ref === undefined) continue;
      const { hash, inline = null } = ref;
      const isKnown = this.#known.has(hash) || (inline !== null && hashOf('sha256', inline, 'hex') === hash);
      if (!isKnown)
        throw new MillraceError('FORBIDDEN', `blob ${hash} is none that this task was given or has written`);
    }
  }

  add(hash: string): void {
    this.#known.add(hash);
  }
}
