/**
 * Worker threads that each do one task at a time, with a limit on time and memory. A worker that takes too long or dies takes its task
 * with it: that task fails, the next one gets a new worker.
 */
import { Worker } from 'node:worker_threads';
import type { ChildModule } from '../../runtime/adapters/child-module.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';

export interface WorkerPoolOptions {
  /** Module that the workers run; it calls `answerTasks`. */
  readonly module: ChildModule;
  readonly workers: number;
  readonly timeoutMs: number;
  /** Heap of one worker. */
  readonly memoryMb: number;
  /** Tasks that may wait for a worker; more are refused. */
  readonly waitingMax: number;
}

interface Pending<T> {
  readonly task: T;
  readonly timeoutMs: number;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Lane<T> {
  worker: Worker | undefined;
  current: Pending<T> | undefined;
  timer: NodeJS.Timeout | undefined;
}

export type WorkerReply = { readonly result: unknown } | { readonly error: string };

export class WorkerPool<T, R> {
  readonly #options: WorkerPoolOptions;
  readonly #lanes: Lane<T>[];
  readonly #waiting: Pending<T>[] = [];
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.workers }, () => ({
      worker: undefined,
      current: undefined,
      timer: undefined,
    }));
  }

  /** Rejects with TIMEOUT, USER_CODE_FAILED (the task threw), TOO_LARGE (out of memory) or UNAVAILABLE (too many tasks wait). */
  run(task: T, timeoutMs = this.#options.timeoutMs): Promise<R> {
    if (this.#closed) return Promise.reject(new MillraceError('CLOSED', 'the worker pool was closed'));
    if (this.#waiting.length >= this.#options.waitingMax) {
      const message = `${this.#waiting.length} tasks wait for ${this.#lanes.length} workers already`;
      return Promise.reject(new MillraceError('UNAVAILABLE', message));
    }
    return new Promise<R>((resolve, reject) => {
      this.#waiting.push({ task, timeoutMs, resolve: (result) => resolve(result as R), reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const closed = new MillraceError('CLOSED', 'the worker pool was closed');
    for (const pending of this.#waiting.splice(0)) pending.reject(closed);
    await Promise.all(
      this.#lanes.map(async (lane) => {
        clearTimeout(lane.timer);
        lane.current?.reject(closed);
        lane.current = undefined;
        await lane.worker?.terminate();
      }),
    );
  }

  #next(): void {
    for (const lane of this.#lanes) {
      if (lane.current !== undefined) continue;
      const pending = this.#waiting.shift();
      if (pending === undefined) return;
      this.#begin(lane, pending);
    }
  }

  #begin(lane: Lane<T>, pending: Pending<T>): void {
    const { timeoutMs } = pending;
    lane.current = pending;
    lane.worker ??= this.#start(lane);
    lane.worker.ref();
    lane.timer = setTimeout(() => {
      this.#lose(lane, new MillraceError('TIMEOUT', `the computation was stopped after ${timeoutMs} ms`));
    }, timeoutMs);
    lane.worker.postMessage(pending.task);
  }

  #start(lane: Lane<T>): Worker {
    const { module, memoryMb } = this.#options;
    // Code of a deployment may run in it, and gets nothing of the server's environment: no credentials.
    const limits = { resourceLimits: { maxOldGenerationSizeMb: memoryMb }, env: {} };
    const worker = module.typescript
      ? new Worker(new URL('./typescript-worker.mjs', import.meta.url), {
          ...limits,
          workerData: { module: module.url.href },
        })
      : new Worker(module.url, limits);
    worker.on('message', (reply: WorkerReply) => {
      if (lane.worker !== worker) return;
      if ('error' in reply) this.#finish(lane)?.reject(new MillraceError('USER_CODE_FAILED', reply.error));
      else this.#finish(lane)?.resolve(reply.result);
      this.#next();
    });
    worker.on('error', (cause: unknown) => {
      if (lane.worker === worker) this.#lose(lane, failureOf(cause, memoryMb));
    });
    worker.on('exit', (code) => {
      if (lane.worker === worker) {
        this.#lose(lane, new MillraceError('USER_CODE_FAILED', `the worker ended with exit code ${code}`));
      }
    });
    return worker;
  }

  #finish(lane: Lane<T>): Pending<T> | undefined {
    clearTimeout(lane.timer);
    lane.worker?.unref();
    const { current } = lane;
    lane.current = undefined;
    return current;
  }

  #lose(lane: Lane<T>, error: MillraceError): void {
    const current = this.#finish(lane);
    const { worker } = lane;
    lane.worker = undefined;
    void worker?.terminate();
    current?.reject(error);
    if (!this.#closed) this.#next();
  }
}

function failureOf(cause: unknown, memoryMb: number): MillraceError {
  if ((cause as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new MillraceError('TOO_LARGE', `the computation needs more than the ${memoryMb} MB that it may use`, {
      cause,
    });
  }
  return new MillraceError('USER_CODE_FAILED', `the worker failed: ${messageOf(cause)}`, { cause });
}
