/**
 * Worker threads that each do one task at a time, with a limit on time and memory. A worker that takes too long or dies takes its task
 * with it: that task fails, the next one gets a new worker.
 */
import type { Worker } from 'node:worker_threads';
import { type ChildModule, startThread } from '../../runtime/adapters/child-module.ts';
import { limitAnswer } from '../../runtime/adapters/limit-answer.ts';
import { hasCode, MillraceError, messageOf } from '../../runtime/ports/errors.ts';

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
  /** Ends the wait for the answer. */
  endLimit: () => void;
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
      endLimit: () => undefined,
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

  /** Starts the workers that are not there, for work that is about to come. */
  warm(): void {
    if (this.#closed) return;
    for (const lane of this.#lanes) {
      if (lane.worker !== undefined) continue;
      lane.worker = this.#start(lane);
      lane.worker.unref();
    }
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const closed = new MillraceError('CLOSED', 'the worker pool was closed');
    for (const pending of this.#waiting.splice(0)) pending.reject(closed);
    await Promise.all(
      this.#lanes.map(async (lane) => {
        lane.endLimit();
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
    lane.endLimit = limitAnswer(timeoutMs, () =>
      this.#lose(lane, new MillraceError('TIMEOUT', `the computation was stopped after ${timeoutMs} ms`)),
    );
    lane.worker.postMessage(pending.task);
  }

  #start(lane: Lane<T>): Worker {
    const { module, memoryMb } = this.#options;
    // Code of a deployment may run in it, and gets nothing of the server's environment: no credentials.
    const limits = { resourceLimits: { maxOldGenerationSizeMb: memoryMb }, env: {} };
    const worker = startThread(module, limits);
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
        const message = `the worker ended with exit code ${code}`;
        this.#lose(lane, new MillraceError('USER_CODE_FAILED', message, { details: workerLost }));
      }
    });
    return worker;
  }

  #finish(lane: Lane<T>): Pending<T> | undefined {
    lane.endLimit();
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

const tries = 3;

/** Of an error that took the worker with it, while one that a task threw would be thrown again. */
const workerLost = { workerLost: true };

/** Like `pool.run`, but what took too long or lost its worker is tried again, each time with twice as long. */
export async function runPatiently<T, R>(pool: WorkerPool<T, R>, task: T): Promise<R> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await pool.run(task, pool.timeoutMs * 2 ** attempt);
    } catch (error) {
      const tryAgain =
        hasCode(error, 'TIMEOUT') || (error instanceof MillraceError && error.details['workerLost'] === true);
      if (attempt + 1 >= tries || !tryAgain) throw error;
    }
  }
}

function failureOf(cause: unknown, memoryMb: number): MillraceError {
  if ((cause as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new MillraceError('TOO_LARGE', `the computation needs more than the ${memoryMb} MiB that it may use`, {
      cause,
      details: workerLost,
    });
  }
  return new MillraceError('USER_CODE_FAILED', `the worker failed: ${messageOf(cause)}`, {
    cause,
    details: workerLost,
  });
}
