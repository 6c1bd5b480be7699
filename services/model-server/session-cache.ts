/**
 * Loaded models by the hash of their file. A model is loaded once, however many ask for it; at most `sessionsMax` and
 * `bytesMax` of files stay loaded, and the one that was unused for longest goes first. A model in use is never closed.
 */
import { crashPoint } from '../../runtime/engine/crash-points.ts';
import {
  type BlobStore,
  type Clock,
  hasCode,
  type LoadedModel,
  MillraceError,
  type ModelRuntime,
} from '../../runtime/ports/index.ts';

export interface SessionCacheOptions {
  readonly models: ModelRuntime;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** Loaded models. @default 64 */
  readonly sessionsMax?: number | undefined;
  /** Bytes of their files together. @default 512 MiB */
  readonly bytesMax?: number | undefined;
  /** How long a load goes on trying while the blob store is away. @default 15000 */
  readonly loadTimeoutMs?: number | undefined;
}

/** A loaded model that is in use until `release`. */
export interface Lease<S> {
  readonly session: S;
  release(): void;
}

/** What a caller keeps beside a loaded model, such as its queue. */
export type WrapModel<S> = (model: LoadedModel) => S;

interface Entry<S> {
  readonly hash: string;
  readonly model: LoadedModel;
  readonly session: S;
  readonly sizeBytes: number;
  users: number;
}

export class SessionCache<S> {
  readonly #options: SessionCacheOptions;
  readonly #wrap: WrapModel<S>;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<S>>();
  readonly #loading = new Map<string, Promise<Entry<S>>>();
  /** Files that are no models; the same bytes will never become one. */
  readonly #refused = new Map<string, MillraceError>();
  #closed = false;

  constructor(options: SessionCacheOptions, wrap: WrapModel<S>) {
    this.#options = options;
    this.#wrap = wrap;
  }

  /** The model if it is loaded: the way of nearly all requests, without a promise. */
  acquireLoaded(hash: string): Lease<S> | undefined {
    const entry = this.#entries.get(hash);
    return entry === undefined ? undefined : this.#lease(entry);
  }

  /** Loads the model if need be. Rejects with what the blob store or the runtime says, and always names the model's hash. */
  async acquire(hash: string): Promise<Lease<S>> {
    const loaded = this.acquireLoaded(hash);
    if (loaded !== undefined) return loaded;
    const refused = this.#refused.get(hash);
    if (refused !== undefined) throw refused;
    let loading = this.#loading.get(hash);
    if (loading === undefined) {
      loading = this.#load(hash).finally(() => this.#loading.delete(hash));
      this.#loading.set(hash, loading);
    }
    return this.#lease(await loading);
  }

  get size(): number {
    return this.#entries.size;
  }

  get sizeBytes(): number {
    let sum = 0;
    for (const entry of this.#entries.values()) sum += entry.sizeBytes;
    return sum;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#loading.values());
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map((entry) => entry.model.close()));
  }

  #lease(entry: Entry<S>): Lease<S> {
    if (this.#entries.delete(entry.hash)) this.#entries.set(entry.hash, entry);
    entry.users += 1;
    return {
      session: entry.session,
      release: () => {
        entry.users -= 1;
        if (entry.users === 0) this.#evict();
      },
    };
  }

  async #load(hash: string): Promise<Entry<S>> {
    const bytes = await this.#bytes(hash);
    crashPoint('before-load');
    let model: LoadedModel;
    try {
      model = await this.#options.models.load(bytes);
    } catch (error) {
      if (hasCode(error, 'MODEL_REFUSED', 'UNSUPPORTED')) this.#refuse(hash, error);
      throw error;
    }
    crashPoint('after-load');
    if (this.#closed) {
      await model.close();
      throw new MillraceError('CLOSED', `the model server was closed while model ${hash} was loaded`);
    }
    const entry: Entry<S> = { hash, model, session: this.#wrap(model), sizeBytes: bytes.length, users: 0 };
    this.#entries.set(hash, entry);
    return entry;
  }

  /** The store checks the hash: bytes that differ are CORRUPT. */
  async #bytes(hash: string): Promise<Uint8Array> {
    const { blobs, clock, loadTimeoutMs = 15_000 } = this.#options;
    const deadline = clock.now() + loadTimeoutMs;
    for (let waitMs = 50; ; waitMs *= 2) {
      try {
        return await blobs.get(hash);
      } catch (error) {
        if (!hasCode(error, 'UNAVAILABLE', 'TIMEOUT') || clock.now() + waitMs > deadline) throw error;
      }
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
  }

  #refuse(hash: string, error: MillraceError): void {
    if (this.#refused.size >= refusedMax) this.#refused.clear();
    this.#refused.set(hash, error);
  }

  #evict(): void {
    const { sessionsMax = 64, bytesMax = 512 * 1024 * 1024 } = this.#options;
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= sessionsMax && this.sizeBytes <= bytesMax) return;
      if (entry.users > 0) continue;
      this.#entries.delete(entry.hash);
      void entry.model.close().catch(() => undefined);
    }
  }
}

const refusedMax = 1_000;
