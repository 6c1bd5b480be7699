/** One code thread, from outside: sends calls, answers what the code asks of models, and says when the thread is gone. */
import type { Worker } from 'node:worker_threads';
import { moduleForChild, startThread } from '../../../runtime/adapters/child-module.ts';
import { limitAnswer } from '../../../runtime/adapters/limit-answer.ts';
import type { CodeAnswer, CodeCall } from '../../../runtime/inference-graph/graph-services.ts';
import { MillraceError, messageOf } from '../../../runtime/ports/index.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';

/** A call that is under way. */
export interface Pending {
  readonly call: CodeCall;
  resolve(answer: CodeAnswer): void;
  reject(error: unknown): void;
}

/** A call that the thread has. */
interface Begun extends Pending {
  /** Ends the wait for its answer. */
  endLimit(): void;
}

export interface ThreadHandleOptions {
  readonly bundle: string;
  readonly memoryMb: number;
  /** The thread is gone; these were under way. `reason` is whose fault it is if there was only one. */
  lost(handle: CodeThreadHandle, pending: readonly Pending[], reason: MillraceError): void;
}

/** How long a thread may take to answer a ping before it counts as blocked. */
const pongMs = 250;

export class CodeThreadHandle {
  readonly #options: ThreadHandleOptions;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Begun>();
  #outbox: ToThread[] = [];
  #calls = 0;
  #gone = false;
  /** Ends the wait for the answer to a ping. */
  #endPing: (() => void) | undefined;
  /** Names of the bundle's functions, once it is loaded; rejects with why it cannot be. */
  readonly loaded: Promise<readonly string[]>;

  constructor(options: ThreadHandleOptions) {
    this.#options = options;
    const { bundle, memoryMb } = options;
    this.#worker = startThread(moduleForChild('services/model-server/code/code-thread'), {
      workerData: { bundle } satisfies ThreadData,
      // Code of a deployment gets nothing of the server's environment: no credentials.
      env: {},
      stdin: false,
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    });
    this.loaded = new Promise((resolve, reject) => {
      this.#worker.on('message', (messages: readonly FromThread[]) => {
        for (const message of messages) {
          if (message.type === 'loaded') resolve(message.functions);
          else if (message.type === 'unloadable') {
            reject(new MillraceError('INVALID_ARGUMENT', `the code cannot be loaded: ${message.message}`));
          } else this.#hear(message);
        }
      });
      this.#worker.on('error', (cause: unknown) => {
        const error = failureOf(cause, memoryMb);
        reject(error);
        this.#lose(error);
      });
      this.#worker.on('exit', (code) => {
        const error = new MillraceError('USER_CODE_FAILED', `its code ended its thread with exit code ${code}`);
        reject(error);
        this.#lose(error);
      });
    });
    this.loaded.catch(() => undefined);
    this.#worker.unref();
  }

  get gone(): boolean {
    return this.#gone;
  }

  begin(pending: Pending): void {
    this.#calls += 1;
    const id = this.#calls;
    const { code, form, rows, inputs, request, models, timeoutMs } = pending.call;
    this.#pending.set(id, { ...pending, endLimit: limitAnswer(timeoutMs, () => this.#expire(id)) });
    this.#worker.ref();
    this.#send({ type: 'call', id, function: code.function, form, rows, inputs, request, models });
  }

  async close(): Promise<void> {
    this.#gone = true;
    this.#endPing?.();
    for (const { endLimit, reject } of this.#pending.values()) {
      endLimit();
      reject(new MillraceError('CLOSED', 'the model server was closed while code ran'));
    }
    this.#pending.clear();
    await this.#worker.terminate();
  }

  /** What is sent in one turn goes in one post. */
  #send(message: ToThread): void {
    this.#outbox.push(message);
    if (this.#outbox.length > 1) return;
    queueMicrotask(() => {
      const messages = this.#outbox;
      this.#outbox = [];
      if (!this.#gone) this.#worker.postMessage(messages);
    });
  }

  #hear(message: FromThread): void {
    if (message.type === 'pong') {
      this.#endPing?.();
      this.#endPing = undefined;
    } else if (message.type === 'answer') this.#end(message.id)?.resolve(message.answer);
    else if (message.type === 'failed') this.#end(message.id)?.reject(new MillraceError(message.code, message.message));
    else if (message.type === 'ask') void this.#ask(message);
  }

  async #ask({ id, ask, model, inputs }: Extract<FromThread, { type: 'ask' }>): Promise<void> {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    try {
      const outputs = await pending.call.ask(model, inputs);
      this.#send({ type: 'told', ask, outputs });
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'INTERNAL';
      this.#send({ type: 'refused', ask, code, message: `model '${model}': ${messageOf(error)}` });
    }
  }

  /** Its time is up: if the thread still answers, only this call ends; if not, whoever blocks it has to be found. */
  #expire(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined || this.#gone) return;
    const late = new MillraceError('TIMEOUT', `its code was stopped after ${pending.call.timeoutMs} ms`);
    if (this.#endPing === undefined) {
      this.#send({ type: 'ping' });
      this.#endPing = limitAnswer(pongMs, () => this.#lose(late));
    }
    const check = setInterval(() => {
      if (this.#gone) clearInterval(check);
      else if (this.#endPing === undefined) {
        clearInterval(check);
        this.#end(id)?.reject(late);
      }
    }, 5);
  }

  #end(id: number): Begun | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.endLimit();
    if (this.#pending.size === 0) this.#worker.unref();
    return pending;
  }

  #lose(reason: MillraceError): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#endPing?.();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { endLimit } of pending) endLimit();
    void this.#worker.terminate();
    this.#options.lost(this, pending, reason);
  }
}

function failureOf(cause: unknown, memoryMb: number): MillraceError {
  if ((cause as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new MillraceError(
      'TOO_LARGE',
      `its code needs more than the ${memoryMb} MiB that it may use: raise memoryMb`,
      { cause },
    );
  }
  return new MillraceError('USER_CODE_FAILED', `its code ended its thread: ${messageOf(cause)}`, { cause });
}
