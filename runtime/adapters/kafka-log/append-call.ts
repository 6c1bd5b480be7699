import { MillraceError } from '../../ports/errors.ts';
import { type OutgoingRecord } from '../../ports/log.ts';

/** One `append`: settles when the fate of all its records is known. */
export class AppendCall {
  readonly promise: Promise<readonly number[]>;
  readonly #offsets: number[];
  #open: number;
  #settled = false;
  #refused = false;
  #resolve: (offsets: readonly number[]) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(count: number) {
    this.#offsets = new Array<number>(count).fill(-1);
    this.#open = count;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A part of it was refused: what still waits need not be written. */
  get refused(): boolean {
    return this.#refused;
  }

  written(index: number, offset: number): void {
    this.#offsets[index] = offset;
    this.#open--;
    if (this.#open > 0 || this.#settled) return;
    this.#settled = true;
    this.#resolve(this.#offsets);
  }

  refuse(error: unknown): void {
    this.#refused = true;
    this.fail(error);
  }

  fail(error: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#reject(error);
  }
}

/** A record that waits in its partition's queue. */
export interface QueuedRecord {
  readonly call: AppendCall;
  /** Place in the call. */
  readonly index: number;
  readonly record: OutgoingRecord;
  /** See recordBodyBytes. */
  readonly bodyBytes: number;
}

export function unknownOutcome(where: string, why: string, cause: unknown): MillraceError {
  return new MillraceError(
    'UNKNOWN_OUTCOME',
    `Whether an append to ${where} was written is not known: ${why}. Look at the end of the log, or append again.`,
    { cause, details: { where } },
  );
}
