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
  /** Loaded models. @default 256 */
  readonly sessionsMax?: number | undefined;
  /** Bytes of their files together. @default 512 MiB */
  readonly bytesMax?: number | undefined;
  /** How long a load goes on trying while the blob store is away. @default 15000 */
  readonly loadTimeoutMs?: number | undefined;
}

/** A loaded model that is in use until it is given to `release`. */
export interface Lease<S> {
  readonly session: S;
}

/** What a caller keeps beside a loaded model, such as its queue. */
export type WrapModel<S> = (model: LoadedModel, label: string) => S;

interface Entry<S> extends Lease<S> {
  readonly hash: string;
  readonly model: LoadedModel;
  readonly sizeBytes: number;
  users: number;
  /** Grows with every use of any model. */
  usedAt: number;
  dropped: boolean;
}

interface Loading<S> {
  readonly entry: Promise<Entry<S>>;
  readonly sinceMs: number;
  /** In a few words; '' until the runtime says what takes its time. */
  doing: string;
}

/** What happened since the process began. */
export interface CacheCounts {
  loads: number;
  /** Uses of a model that was not loaded. */
  misses: number;
  /** Closed to make room. */
  evictions: number;
  evictedBytes: number;
  /** Closed because somebody said so. */
  unloads: number;
}

export class SessionCache<S> {
  readonly #options: SessionCacheOptions;
  readonly #wrap: WrapModel<S>;
  readonly #entries = new Map<string, Entry<S>>();
  readonly #loading = new Map<string, Loading<S>>();
  /** Files that are no models; the same bytes will never become one. */
  readonly #refused = new Map<string, MillraceError>();
  #sizeBytes = 0;
  readonly counts: CacheCounts = { loads: 0, misses: 0, evictions: 0, evictedBytes: 0, unloads: 0 };
  #uses = 0;
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

  /** The model if it is loaded, without using it. */
  peek(hash: string): S | undefined {
    return this.#entries.get(hash)?.session;
  }

  /**
   * Loads the model if need be, `label` is its name to whoever wraps it. Rejects with what the blob store or the runtime says; with
   * UNAVAILABLE when it takes longer than `withinMs`, while the load goes on. @default withinMs as long as it takes
   */
  async acquire(hash: string, label = hash.slice(0, 12), withinMs?: number): Promise<Lease<S>> {
    const loaded = this.acquireLoaded(hash);
    if (loaded !== undefined) return loaded;
    this.counts.misses += 1;
    const refused = this.#refused.get(hash);
    if (refused !== undefined) throw refused;
    let loading = this.#loading.get(hash);
    if (loading === undefined) {
      loading = this.#begin(hash, label);
    }
    return this.#lease(await (withinMs === undefined ? loading.entry : this.#within(withinMs, loading)));
  }

  /** What a load that is under way does, for how long by now; undefined: none is. */
  loading(hash: string): string | undefined {
    const loading = this.#loading.get(hash);
    return loading === undefined ? undefined : this.#said(loading);
  }

  release(lease: Lease<S>): void {
    const entry = lease as Entry<S>;
    entry.users -= 1;
    if (entry.users > 0) return;
    if (entry.dropped) void entry.model.close().catch(() => undefined);
    this.#evict();
  }

  /** Whether it is in memory, and if not, why it never will be. */
  state(hash: string): { readonly loaded: boolean; readonly refused?: string } {
    const refused = this.#refused.get(hash);
    return { loaded: this.#entries.has(hash), ...(refused && { refused: refused.message }) };
  }

  /** Gives its memory back once nobody uses it; the next request loads it again. */
  unload(hash: string): void {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return;
    this.counts.unloads += 1;
    this.#drop(entry);
  }

  /** Those that are loaded. */
  *sessions(): Iterable<S> {
    for (const { session } of this.#entries.values()) yield session;
  }

  get size(): number {
    return this.#entries.size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#loading.values()].map(({ entry }) => entry));
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map((entry) => entry.model.close()));
  }

  #lease(entry: Entry<S>): Lease<S> {
    this.#uses += 1;
    entry.usedAt = this.#uses;
    entry.users += 1;
    return entry;
  }

  #begin(hash: string, label: string): Loading<S> {
    const entry = this.#load(hash, label, (doing) => {
      loading.doing = doing.slice(0, 200);
    }).finally(() => this.#loading.delete(hash));
    const loading: Loading<S> = { entry, sinceMs: this.#options.clock.now(), doing: '' };
    this.#loading.set(hash, loading);
    return loading;
  }

  async #within(withinMs: number, loading: Loading<S>): Promise<Entry<S>> {
    let stop = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      stop = this.#options.clock.after(withinMs, () =>
        reject(new MillraceError('UNAVAILABLE', `${this.#said(loading)}: ask again in a while`)),
      );
    });
    try {
      return await Promise.race([loading.entry, late]);
    } finally {
      stop();
    }
  }

  #said({ sinceMs, doing }: Loading<S>): string {
    const seconds = Math.round((this.#options.clock.now() - sinceMs) / 1_000);
    return `it has been loading for ${seconds} s${doing === '' ? '' : ` (${doing})`}`;
  }

  async #load(hash: string, label: string, progress: (doing: string) => void): Promise<Entry<S>> {
    const bytes = await this.#bytes(hash);
    this.#checkSize(bytes.length);
    crashPoint('before-load');
    let model: LoadedModel;
    try {
      model = await this.#options.models.load(bytes, progress);
    } catch (error) {
      if (hasCode(error, 'MODEL_REFUSED', 'UNSUPPORTED')) this.#refuse(hash, error);
      throw error;
    }
    crashPoint('after-load');
    if (this.#closed) {
      await model.close();
      throw new MillraceError('CLOSED', `the model server was closed while model ${hash} was loaded`);
    }
    const session = this.#wrap(model, label);
    const entry: Entry<S> = { hash, model, session, sizeBytes: bytes.length, users: 0, usedAt: 0, dropped: false };
    this.#entries.set(hash, entry);
    this.#sizeBytes += entry.sizeBytes;
    this.counts.loads += 1;
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

  /** One that is larger than the memory for all would come and go with every request. */
  #checkSize(sizeBytes: number): void {
    const { bytesMax = bytesMaxDefault } = this.#options;
    if (sizeBytes <= bytesMax) return;
    throw new MillraceError(
      'TOO_LARGE',
      `its file has ${sizeBytes} bytes, more than all models in memory may have (${bytesMax}): raise model_server.memory_mb, or serve it from a pool of its own`,
      { details: { sizeBytes, bytesMax } },
    );
  }

  #refuse(hash: string, error: MillraceError): void {
    if (this.#refused.size >= refusedMax) this.#refused.clear();
    this.#refused.set(hash, error);
  }

  #evict(): void {
    const { sessionsMax = 256, bytesMax = bytesMaxDefault } = this.#options;
    while (this.#entries.size > sessionsMax || this.#sizeBytes > bytesMax) {
      let oldest: Entry<S> | undefined;
      for (const entry of this.#entries.values()) {
        if (entry.users === 0 && entry.usedAt < (oldest?.usedAt ?? Number.POSITIVE_INFINITY)) oldest = entry;
      }
      if (oldest === undefined) return;
      this.counts.evictions += 1;
      this.counts.evictedBytes += oldest.sizeBytes;
      this.#drop(oldest);
    }
  }

  /** Whoever has it in use may finish: the last one closes it. */
  #drop(entry: Entry<S>): void {
    this.#entries.delete(entry.hash);
    this.#sizeBytes -= entry.sizeBytes;
    entry.dropped = true;
    if (entry.users === 0) void entry.model.close().catch(() => undefined);
  }
}

const refusedMax = 1_000;
const bytesMaxDefault = 512 * 1024 * 1024;
