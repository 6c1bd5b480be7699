import type { KubernetesObject, Watch } from '@kubernetes/client-node';
import { messageOf } from '../../ports/errors.ts';
import { within } from './api-calls.ts';

export interface WatchOptions<T extends KubernetesObject> {
  readonly watch: Watch;
  /** `/api/v1/namespaces/<namespace>/pods` */
  readonly path: string;
  readonly labelSelector: string;
  list(): Promise<{
    readonly metadata?: { readonly resourceVersion?: string } | undefined;
    readonly items: readonly T[];
  }>;
  changed(object: T): void;
  /** It is not there any more; what is known of it last. */
  gone(object: T): void;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}

/** A watch is opened anew so often, so that a connection that died in silence is noticed, seconds. */
const watchSeconds = 60;
const connectMs = 15_000;
const backoffMaxMs = 5_000;

/**
 * Follows the objects of one kind: lists them, watches from there on, watches again from the last version that it saw, and lists again when
 * that version is too old (410) or the watch says an error. What went between two lists is told as gone.
 */
export class ClusterWatch<T extends KubernetesObject> {
  readonly #options: WatchOptions<T>;
  readonly #known = new Map<string, T>();
  readonly #closing = new AbortController();
  #version = '';
  #awaySince: number | undefined = performance.now();

  constructor(options: WatchOptions<T>) {
    this.#options = options;
    void this.#run();
  }

  /** Since when the API server has not been heard, milliseconds; 0 while it is. */
  get awayMs(): number {
    return this.#awaySince === undefined ? 0 : performance.now() - this.#awaySince;
  }

  get(name: string): T | undefined {
    return this.#known.get(name);
  }

  values(): Iterable<T> {
    return this.#known.values();
  }

  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { warn, path } = this.#options;
    let backoffMs = 50;
    while (!this.#closing.signal.aborted) {
      try {
        if (this.#version === '') await this.#list();
        await this.#follow();
        backoffMs = 50;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#awaySince ??= performance.now();
        warn({ path, error: messageOf(error) }, 'the API server was not heard: tried again');
        await new Promise((resolve) => setTimeout(resolve, backoffMs).unref());
        backoffMs = Math.min(2 * backoffMs, backoffMaxMs);
      }
    }
  }

  async #list(): Promise<void> {
    const { list, gone } = this.#options;
    const { metadata, items } = await within(list(), connectMs);
    this.#awaySince = undefined;
    const names = new Set(items.map(({ metadata: named }) => named?.name));
    for (const [name, object] of this.#known) {
      if (names.has(name)) continue;
      this.#known.delete(name);
      gone(object);
    }
    for (const object of items) this.#see(object);
    this.#version = metadata?.resourceVersion ?? '';
  }

  /** Resolves when the watch ended in order, rejects when it was lost. */
  async #follow(): Promise<void> {
    const { watch, path, labelSelector } = this.#options;
    let end: (error: unknown) => void = () => undefined;
    const ended = new Promise<unknown>((resolve) => {
      end = resolve;
    });
    const query = {
      labelSelector,
      resourceVersion: this.#version,
      allowWatchBookmarks: true,
      timeoutSeconds: watchSeconds,
    };
    const event = (type: string, object: T & { readonly code?: number; readonly message?: string }): void => {
      if (type === 'ERROR') {
        // 410: from before what the server remembers
        this.#version = '';
        if (object.code !== 410) end(new Error(object.message ?? `the watch said an error ${object.code}`));
        return;
      }
      this.#version = object.metadata?.resourceVersion ?? this.#version;
      if (type === 'DELETED') {
        this.#known.delete(object.metadata?.name ?? '');
        this.#options.gone(object);
      } else if (type !== 'BOOKMARK') this.#see(object);
    };
    const opened = await within(
      watch.watch(path, query, event as (type: string, object: unknown) => void, end),
      connectMs,
    );
    this.#awaySince = undefined;
    const stop = (): void => opened.abort();
    const late = setTimeout(stop, (watchSeconds + 15) * 1_000);
    late.unref();
    this.#closing.signal.addEventListener('abort', stop, { once: true });
    if (this.#closing.signal.aborted) stop();
    try {
      const error = (await ended) as (Error & { readonly statusCode?: number }) | null | undefined;
      if (error?.statusCode === 410) this.#version = '';
      else if (error !== null && error !== undefined && error.name !== 'AbortError') throw error;
    } finally {
      clearTimeout(late);
      this.#closing.signal.removeEventListener('abort', stop);
      opened.abort();
    }
  }

  #see(object: T): void {
    const { name } = object.metadata ?? {};
    if (name === undefined) return;
    this.#known.set(name, object);
    this.#options.changed(object);
  }
}
