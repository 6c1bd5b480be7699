import { MessageChannel, type Worker } from 'node:worker_threads';
import { moduleForChild, startThread } from '../../../runtime/adapters/child-module.ts';
import { receivedError } from '../../../runtime/adapters/thread-log/sent-errors.ts';
import { type ServedLog, serveLog } from '../../../runtime/adapters/thread-log/serve-log.ts';
import type { Configuration } from '../../../runtime/config/settings.ts';
import type { Running, Runtime, TaskStats } from '../../../runtime/engine/runtime.ts';
import { MillraceError, messageOf } from '../../../runtime/ports/errors.ts';
import type { ThreadData, ThreadAsked, ThreadSays } from './messages.ts';

/** Of the thread; a young generation of 16 MiB: it does not wait for the garbage of answers (docs/decisions/0022). */
const resourceLimits = { maxYoungGenerationSizeMb: 48 };

/**
 * Runs topologies in a thread of their own, on the log and the state of this process: they take no time from what answers requests
 * and runs flows. Their tasks count among those of `runtime`. If the thread ends by itself, they have stopped.
 */
export async function startWatcherThread(
  runtime: Runtime,
  configuration: Configuration,
  topologies: readonly string[],
): Promise<Running> {
  const thread = new WatcherThread(runtime, configuration, topologies);
  runtime.include(thread);
  try {
    await thread.started();
  } catch (error) {
    await thread.close();
    throw error;
  }
  return thread;
}

class WatcherThread implements Running {
  readonly #worker: Worker;
  readonly #served: ServedLog;
  readonly #started = new Later();
  readonly #caughtUp = new Later();
  readonly #ended = new Later();
  #stats: readonly TaskStats[] = [];
  #stopped: readonly string[] = [];
  readonly #reportsWanted: (() => void)[] = [];
  #hasEnded = false;
  #closing: Promise<void> | undefined;

  constructor({ parts: { log, logger } }: Runtime, configuration: Configuration, topologies: readonly string[]) {
    const { port1, port2 } = new MessageChannel();
    this.#served = serveLog(log, port1);
    const loss = { lostTail: log.lostTail === true, recoveredEnds: log.recoveredEnds ?? {} };
    const data: ThreadData = { configuration, topologies, port: port2, loss };
    const module = moduleForChild('services/all-in-one/watcher-thread/topologies-thread');
    this.#worker = startThread(module, { workerData: data, transferList: [port2], resourceLimits });
    this.#worker.on('message', (message: ThreadSays) => this.#hear(message));
    this.#worker.on('error', (error: unknown) => {
      this.#end(
        new MillraceError('INTERNAL', `the thread of the watchers ended: ${messageOf(error)}`, { cause: error }),
      );
      logger.error({ error: messageOf(error) }, 'the thread of the watchers has ended');
    });
    this.#worker.on('exit', () => this.#end(new MillraceError('CLOSED', 'the thread of the watchers has ended')));
    for (const promise of [this.#started.promise, this.#caughtUp.promise]) promise.catch(() => undefined);
  }

  started(): Promise<void> {
    return this.#started.promise;
  }

  ready(): Promise<void> {
    return this.#caughtUp.promise;
  }

  stats(): readonly TaskStats[] {
    return this.#stats;
  }

  async statsNow(): Promise<readonly TaskStats[]> {
    const delivered = this.#served.deliveredEnds();
    await this.#report();
    return this.#stats.map((stats) => {
      const end = delivered.get(stats.task.split('/').slice(-2).join('/')) ?? 0;
      return end > stats.endOffset ? { ...stats, endOffset: end } : stats;
    });
  }

  stopped(): readonly string[] {
    return this.#stopped;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Resolves with the next report that the thread makes when asked, or with its end. */
  async #report(): Promise<void> {
    if (this.#hasEnded) return;
    await new Promise<void>((resolve) => {
      this.#reportsWanted.push(resolve);
      this.#ask('report');
    });
  }

  #ask(type: ThreadAsked['type']): void {
    const message: ThreadAsked = { type };
    this.#worker.postMessage(message);
  }

  async #close(): Promise<void> {
    this.#ask('close');
    await this.#ended.promise;
    await this.#served.close();
  }

  #hear(message: ThreadSays): void {
    switch (message.type) {
      case 'started':
        this.#started.resolve();
        return;
      case 'caught-up':
        this.#caughtUp.resolve();
        return;
      case 'not-caught-up':
        this.#caughtUp.reject(receivedError(message.error));
        return;
      case 'tasks':
        this.#stats = message.stats;
        this.#stopped = message.stopped;
        if (message.asked) this.#reportsWanted.shift()?.();
        return;
    }
  }

  #end(error: MillraceError): void {
    this.#hasEnded = true;
    for (const resolve of this.#reportsWanted.splice(0)) resolve();
    if (this.#closing === undefined) {
      this.#stopped = ['watchers'];
      this.#stats = this.#stats.map((stats) => ({ ...stats, status: 'failed' }));
    }
    this.#started.reject(error);
    this.#caughtUp.reject(error);
    this.#ended.resolve();
  }
}

/** Something that the thread will say. */
class Later {
  readonly promise: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
