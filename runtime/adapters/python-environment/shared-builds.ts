interface Build<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/** One piece of work for all who want the same at the same time; it is stopped when nobody waits for it any more. */
export class SharedBuilds<T> {
  readonly #builds = new Map<string, Build<T>>();

  async share(key: string, signal: AbortSignal, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const build = this.#builds.get(key) ?? this.#begin(key, work);
    build.waiting += 1;
    const left = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    try {
      return await Promise.race([build.result, left]);
    } finally {
      build.waiting -= 1;
      if (build.waiting === 0) {
        build.stop.abort();
        if (this.#builds.get(key) === build) this.#builds.delete(key);
      }
    }
  }

  #begin(key: string, work: (stop: AbortSignal) => Promise<T>): Build<T> {
    const stop = new AbortController();
    const build = { result: work(stop.signal), stop, waiting: 0 };
    build.result.catch(() => undefined);
    this.#builds.set(key, build);
    return build;
  }
}
