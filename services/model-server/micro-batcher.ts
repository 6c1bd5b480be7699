/**
 * Runs one model for many requests at once, as its policy says: what waits when the model becomes free goes into the next call, and a free
 * model may wait for more. Requests by topic and by HTTP mix. The queue is bounded, for each of the two ways by itself, so that neither
 * shuts the other out: what waits for room (topics, whose partitions are not read on meanwhile) stays outside, what does not (HTTP) is OVERLOADED.
 */
import { performance } from 'node:perf_hooks';
import { crashPoint } from '../../runtime/engine/crash-points.ts';
import { hasCode } from '../../runtime/ports/errors.ts';
import { type LoadedModel, MillraceError, messageOf, type Tensor } from '../../runtime/ports/index.ts';
import { joinRows, splitRows, stackable } from '../../runtime/tensors/row-stacking.ts';
import { AdaptiveBatches, type BatchPolicy } from './batch-policy.ts';

/** How often a full queue is searched for requests that nobody waits for any more. */
const dropEveryMs = 5;

export interface BatchRun {
  readonly outputs: readonly Tensor[];
  /** From submission to the start of the call. */
  readonly queueMs: number;
  /** The call, which all requests of the batch share. */
  readonly runMs: number;
  /** Rows of the call, those of other requests included. */
  readonly batchRows: number;
}

export interface BatcherOptions {
  /** @default chosen from measured run times and arrivals */
  readonly policy?: BatchPolicy | undefined;
  /** Requests that wait for this model, of each way. @default 1000 */
  readonly queueMax?: number | undefined;
  /** Calls of the model at once. @default what the model gains from, else 1 */
  readonly callsMax?: number | undefined;
  /** Names the model in what is said of it. */
  readonly label?: string | undefined;
  /** Hears how many requests had come together, each time the model took some. */
  readonly observe?: ((waiting: number) => void) | undefined;
}

export interface RunTerms {
  /** Came by topic: waits for room in a full queue, and does not count among those that do not. @default false */
  readonly waits?: boolean | undefined;
  /** Was let in before, as a part of a larger request: is not refused. @default false */
  readonly admitted?: boolean | undefined;
  /** Asked before the call begins: why nobody wants it any more. */
  readonly gone?: (() => MillraceError | undefined) | undefined;
}

interface Waiting extends RunTerms {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  readonly since: number;
  readonly resolve: (run: BatchRun) => void;
  readonly reject: (error: unknown) => void;
  /** What requests of one call have in common. */
  key: string | undefined;
}

export class MicroBatcher {
  readonly model: LoadedModel;
  readonly label: string;
  readonly #policy: BatchPolicy;
  readonly #queueMax: number;
  readonly #callsMax: number;
  readonly #observe: ((waiting: number) => void) | undefined;
  #queue: Waiting[] = [];
  /** Of the queue, those that wait for room when there is none. */
  #patient = 0;
  /** Wait for room. */
  #outside: Waiting[] = [];
  #calls = 0;
  /** Ends the wait for more, if there is one. */
  #scheduled: (() => void) | undefined;
  #heldUntil: number | undefined;
  #droppedAt = Number.NEGATIVE_INFINITY;
  /** Requests that were there the last time the model took some. */
  #lastRequests = 0;
  /** Becomes false when an output turns out not to have one row per input row. */
  #splittable: boolean;

  constructor(model: LoadedModel, options: BatcherOptions = {}) {
    this.model = model;
    this.label = options.label ?? '';
    this.#policy = options.policy ?? new AdaptiveBatches();
    this.#queueMax = options.queueMax ?? 1_000;
    this.#callsMax = options.callsMax ?? model.callsMax ?? 1;
    this.#observe = options.observe;
    this.#splittable = model.signature.batch === 'dynamic';
  }

  /** Why a request that does not wait is refused now. */
  refusal(): MillraceError | undefined {
    return this.#queue.length - this.#patient < this.#queueMax ? undefined : this.#overloaded();
  }

  /** Requests that wait, those outside of the queue included. */
  get waiting(): number {
    return this.#queue.length + this.#outside.length;
  }

  /** Rows that one call may have, as chosen now. */
  get rowsMax(): number {
    return this.#splittable ? this.#policy.rowsMax : 1;
  }

  /** Inputs must have passed `checkInputs`, which says the number of rows. OVERLOADED when the queue is full and the request does not wait. */
  run(
    inputs: readonly Tensor[],
    rows: number,
    { waits = false, admitted = false, gone }: RunTerms = {},
  ): Promise<BatchRun> {
    const since = performance.now();
    this.#policy.arrived(since);
    if (this.#queue.length + this.#outside.length >= this.#queueMax) this.#dropGone(since);
    const refusal = waits || admitted ? undefined : this.refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const outside = waits && this.#patient >= this.#queueMax;
    return new Promise((resolve, reject) => {
      const request: Waiting = { inputs, rows, since, waits, admitted, gone, resolve, reject, key: undefined };
      if (outside) this.#outside.push(request);
      else this.#enqueue(request);
      if (this.#calls >= this.#callsMax) return;
      if (this.#scheduled !== undefined) {
        if (this.#heldUntil !== undefined && this.#hold(since) === undefined) this.#begin();
        return;
      }
      // Where requests come together, those of the same turn of the event loop are worth waiting for; a lone one is not held up.
      if (this.#lastRequests > 1) this.#scheduled = immediate(() => this.#begin());
      else {
        this.#scheduled = () => undefined;
        queueMicrotask(() => this.#begin());
      }
    });
  }

  /** Nobody waits for the answers of some: those do not keep others out. Looked at now and then, since a full queue is long. */
  #dropGone(now: number): void {
    if (now - this.#droppedAt < dropEveryMs) return;
    this.#droppedAt = now;
    this.#queue = wanted(this.#queue);
    this.#outside = wanted(this.#outside);
    this.#patient = patientOf(this.#queue);
  }

  #enqueue(request: Waiting): void {
    this.#queue.push(request);
    if (request.waits === true) this.#patient += 1;
  }

  /** Starts calls for what waits, or waits for more. */
  #begin(): void {
    this.#scheduled?.();
    this.#scheduled = undefined;
    while (this.#queue.length > 0 && this.#calls < this.#callsMax) {
      const waitMs = this.#hold(performance.now());
      if (waitMs !== undefined) {
        // Timers are no finer than a millisecond; turns of the event loop let in what arrives.
        this.#scheduled = waitMs < 1 ? immediate(() => this.#begin()) : timer(waitMs, () => this.#begin());
        return;
      }
      this.#heldUntil = undefined;
      const batch = this.#take();
      if (batch.length > 0) void this.#call(batch);
    }
  }

  /** How much longer to wait for more; undefined: not at all. */
  #hold(now: number): number | undefined {
    // With another call allowed beside those under way nobody has to wait for one.
    if (!this.#splittable || this.#callsMax > 1) return undefined;
    const hold = this.#policy.hold(this.#queue.length, this.#queuedRows(), now);
    if (hold === undefined) return undefined;
    this.#heldUntil ??= now + hold.waitMs;
    return now >= this.#heldUntil ? undefined : this.#heldUntil - now;
  }

  #queuedRows(): number {
    return this.#queue.reduce((sum, { rows }) => sum + rows, 0);
  }

  async #call(batch: readonly Waiting[]): Promise<void> {
    this.#calls += 1;
    await this.#runBatch(batch);
    this.#calls -= 1;
    if (this.#scheduled === undefined) this.#begin();
  }

  /** The oldest request, and those behind it that may share its call. */
  #take(): readonly Waiting[] {
    const queue = wanted(this.#queue);
    this.#lastRequests = queue.length;
    if (queue.length > 0) this.#observe?.(queue.length);
    const [first] = queue;
    let batch: readonly Waiting[] = queue;
    let left: Waiting[] = [];
    if (first !== undefined && queue.length > 1) {
      if (this.#splittable) [batch, left] = shareCall(first, queue, this.#policy.rowsMax);
      else [batch, left] = [[first], queue.slice(1)];
    }
    this.#queue = left;
    this.#patient = patientOf(left);
    if (this.#outside.length > 0)
      for (const request of this.#outside.splice(0, Math.max(0, this.#queueMax - this.#patient)))
        this.#enqueue(request);
    return batch;
  }

  async #runBatch(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const rows = batch.reduce((sum, request) => sum + request.rows, 0);
    const started = performance.now();
    try {
      crashPoint('before-batch');
      const inputs = batch.length === 1 ? first.inputs : joinRows(batch.map((request) => request.inputs));
      const outputs = await this.model.run(inputs);
      crashPoint('after-batch');
      const ended = performance.now();
      const runMs = ended - started;
      this.#policy.called(rows, runMs, ended);
      const parts =
        batch.length === 1
          ? [outputs]
          : splitRows(
              outputs,
              batch.map((request) => request.rows),
            );
      if (parts === undefined) {
        this.#splittable = false;
        await this.#runApart(batch);
        return;
      }
      for (const [index, request] of batch.entries()) {
        const answer = parts[index] ?? [];
        request.resolve({ outputs: answer, queueMs: started - request.since, runMs, batchRows: rows });
      }
    } catch (error) {
      // What is no single request's fault befalls each of them: to ask a server that does not answer once for each takes as long again.
      if (batch.length === 1 || hasCode(error, 'TIMEOUT', 'UNAVAILABLE', 'CLOSED'))
        for (const request of batch) request.reject(asModelError(error));
      else await this.#runApart(batch);
    }
  }

  /** So that one request cannot spoil the others. */
  async #runApart(batch: readonly Waiting[]): Promise<void> {
    for (const request of batch) await this.#runBatch(wanted([request]));
  }

  #overloaded(): MillraceError {
    const rows = this.#queuedRows();
    const calls = Math.ceil(rows / Math.max(1, this.rowsMax));
    const retryAfterMs = (calls * this.#policy.callMs(Math.min(rows, this.rowsMax))) / this.#callsMax;
    return new MillraceError(
      'OVERLOADED',
      `${this.#queueMax} requests wait for model ${this.label}, the most allowed (model_server.queue_max): try again in a while`,
      { details: { model: this.label, queueMax: this.#queueMax, retryAfterMs } },
    );
  }
}

function shareCall(
  first: Waiting,
  queue: readonly Waiting[],
  rowsMax: number,
): [batch: readonly Waiting[], left: Waiting[]] {
  const key = keyOf(first);
  const batch: Waiting[] = [];
  const left: Waiting[] = [];
  let rows = 0;
  for (const request of queue) {
    if (request !== first && (rows + request.rows > rowsMax || keyOf(request) !== key)) left.push(request);
    else {
      batch.push(request);
      rows += request.rows;
    }
  }
  return [batch, left];
}

function keyOf(request: Waiting): string {
  request.key ??= stackable(request.inputs);
  return request.key;
}

/** Without those that nobody waits for any more, who hear so. Most of the time all are wanted, and nothing is copied. */
function wanted(queue: Waiting[]): Waiting[] {
  if (!queue.some(({ gone }) => gone?.() !== undefined)) return queue;
  return queue.filter(({ gone, reject }) => {
    const reason = gone?.();
    if (reason !== undefined) reject(reason);
    return reason === undefined;
  });
}

function patientOf(queue: readonly Waiting[]): number {
  return queue.reduce((sum, { waits }) => sum + (waits === true ? 1 : 0), 0);
}

function immediate(then: () => void): () => void {
  const handle = setImmediate(then);
  return () => clearImmediate(handle);
}

function timer(waitMs: number, then: () => void): () => void {
  const handle = setTimeout(then, waitMs);
  return () => clearTimeout(handle);
}

export function abandoned(): MillraceError {
  return new MillraceError('CANCELLED', 'whoever asked closed the connection before the model was asked');
}

function asModelError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError('USER_CODE_FAILED', `the model failed: ${messageOf(error)}`, { cause: error });
}
