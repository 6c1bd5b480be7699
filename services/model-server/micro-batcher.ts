/**
 * Runs one model for many requests at once: what waits when the model becomes free goes into the next call. When nothing runs, a
 * request waits at most for those that arrive in the same turn of the event loop. Requests by topic and by HTTP mix.
 */
import { performance } from 'node:perf_hooks';
import { crashPoint } from '../../runtime/engine/crash-points.ts';
import { type LoadedModel, MillraceError, messageOf, type Tensor } from '../../runtime/ports/index.ts';
import { joinRows, splitRows, stackable } from '../../runtime/tensors/row-stacking.ts';

export interface BatchRun {
  readonly outputs: readonly Tensor[];
  /** From submission to the start of the call. */
  readonly queueMs: number;
  /** The call, which all requests of the batch share. */
  readonly runMs: number;
  /** Rows of the call, those of other requests included. */
  readonly batchRows: number;
}

interface Waiting {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  readonly since: number;
  readonly cancelled: (() => boolean) | undefined;
  readonly resolve: (run: BatchRun) => void;
  readonly reject: (error: unknown) => void;
}

export class MicroBatcher {
  readonly #model: LoadedModel;
  readonly #batchRowsMax: number;
  readonly #observe: ((waiting: number) => void) | undefined;
  #waiting: Waiting[] = [];
  #busy = false;
  /** Requests that were taken at once the last time. */
  #lastRequests = 0;
  /** Becomes false when an output turns out not to have one row per input row. */
  #splittable: boolean;

  /** `observe` hears how many requests had come together, each time the model took what was there. */
  constructor(model: LoadedModel, batchRowsMax: number, observe?: (waiting: number) => void) {
    this.#model = model;
    this.#observe = observe;
    this.#batchRowsMax = batchRowsMax;
    this.#splittable = model.signature.batch === 'dynamic';
  }

  get model(): LoadedModel {
    return this.#model;
  }

  /** Inputs must have passed `checkInputs`, which says the number of rows. CANCELLED when `cancelled` says so before the call begins. */
  run(inputs: readonly Tensor[], rows: number, cancelled?: () => boolean): Promise<BatchRun> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ inputs, rows, since: performance.now(), cancelled, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      // Where requests come together, those of the same turn of the event loop are worth waiting for; a lone one is not held up.
      if (this.#lastRequests > 1) setImmediate(() => void this.#drain());
      else queueMicrotask(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = wanted(this.#waiting);
      this.#waiting = [];
      this.#lastRequests = waiting.length;
      this.#observe?.(waiting.length);
      for (const batch of this.#batches(waiting)) await this.#runBatch(batch);
    }
    this.#busy = false;
  }

  /** Requests that may share a call, in order of arrival. */
  #batches(waiting: readonly Waiting[]): readonly (readonly Waiting[])[] {
    if (!this.#splittable) return waiting.map((request) => [request]);
    const open = new Map<string, { rows: number; requests: Waiting[] }>();
    const batches: Waiting[][] = [];
    for (const request of waiting) {
      const key = stackable(request.inputs);
      const batch = open.get(key);
      if (batch !== undefined && batch.rows + request.rows <= this.#batchRowsMax) {
        batch.rows += request.rows;
        batch.requests.push(request);
      } else {
        const requests = [request];
        batches.push(requests);
        open.set(key, { rows: request.rows, requests });
      }
    }
    return batches;
  }

  async #runBatch(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const rows = batch.reduce((sum, request) => sum + request.rows, 0);
    const started = performance.now();
    try {
      crashPoint('before-batch');
      const inputs = batch.length === 1 ? first.inputs : joinRows(batch.map((request) => request.inputs));
      const outputs = await this.#model.run(inputs);
      crashPoint('after-batch');
      const runMs = performance.now() - started;
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
      if (batch.length === 1) first.reject(asModelError(error));
      else await this.#runApart(batch);
    }
  }

  /** So that one request cannot spoil the others. */
  async #runApart(batch: readonly Waiting[]): Promise<void> {
    for (const request of batch) await this.#runBatch([request]);
  }
}

/** Without those that nobody waits for any more, who hear so. Most of the time all are wanted, and nothing is copied. */
function wanted(waiting: Waiting[]): Waiting[] {
  if (!waiting.some(({ cancelled }) => cancelled?.() === true)) return waiting;
  return waiting.filter(({ cancelled, reject }) => {
    if (cancelled?.() !== true) return true;
    reject(abandoned());
    return false;
  });
}

export function abandoned(): MillraceError {
  return new MillraceError('CANCELLED', 'whoever asked closed the connection before the model was asked');
}

function asModelError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError('USER_CODE_FAILED', `the model failed: ${messageOf(error)}`, { cause: error });
}
