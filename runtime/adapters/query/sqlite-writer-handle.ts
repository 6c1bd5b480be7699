import type { Worker } from 'node:worker_threads';
import { type ErrorCode, MillraceError } from '../../ports/errors.ts';
import type { QuerySchema } from '../../ports/query-store.ts';
import { moduleForChild, startThread } from '../child-module.ts';
import type { WriterJob } from './sqlite-writer.ts';

/** What the thread is started with. */
export interface WriterThreadData {
  readonly file: string;
  readonly schema: QuerySchema;
}

export type WriterRequest = WriterJob | { readonly kind: 'close' };

/** How a job ended. */
export interface WriterAnswer {
  readonly failure: { readonly code: ErrorCode | undefined; readonly message: string } | undefined;
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

/** A thread that writes, one job at a time. It does not hold the process while it has nothing to do. */
export class SqliteWriterHandle {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #waiting: Waiting | undefined;
  #alive = true;

  constructor(file: string, schema: QuerySchema) {
    const { name, version, tables } = schema;
    this.#worker = startThread(moduleForChild('runtime/adapters/query/sqlite-writer-thread'), {
      workerData: { file, schema: { name, version, tables } } satisfies WriterThreadData,
      stdin: false,
    });
    this.#worker.unref();
    this.#worker.on('message', ({ failure }: WriterAnswer) => {
      const waiting = this.#take();
      if (failure === undefined) waiting?.resolve();
      else if (failure.code === undefined) waiting?.reject(new Error(failure.message));
      else waiting?.reject(new MillraceError(failure.code, failure.message));
    });
    const lost = (why: string): void => {
      this.#alive = false;
      // Whether the job was done is in the tables: whoever writes reads its positions again.
      this.#take()?.reject(new MillraceError('UNKNOWN_OUTCOME', `the thread that fills ${file} ${why}`));
    };
    this.#worker.on('error', (error) => lost(`failed: ${String(error)}`));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        lost(`ended with ${code}`);
        resolve();
      });
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  async run(job: WriterJob): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.ref();
      this.#worker.postMessage(job satisfies WriterRequest);
    });
  }

  async close(): Promise<void> {
    if (!this.#alive) return;
    this.#worker.ref();
    this.#worker.postMessage({ kind: 'close' } satisfies WriterRequest);
    await this.#exited;
  }

  #take(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#worker.unref();
    return waiting;
  }
}
