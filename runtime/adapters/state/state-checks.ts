import { invalidArgument, MillraceError } from '../../ports/errors.ts';
import type { KeyRange, StateBatch, StateEntry } from '../../ports/state-store.ts';

/** Bytes of one value at most. */
const valueBytesMax = 16 * 1024 * 1024;
const taskPattern = /^[\x20-\x7e]{1,512}$/;
const keyPattern = /^[\0-\x7f]{1,1024}$/;
/** One longer than a key, so that "last key + '\0'" is a bound. */
const boundPattern = /^[\0-\x7f]{0,1025}$/;

export function checkTask(task: string): void {
  if (!taskPattern.test(task)) {
    throw invalidArgument(
      `A task name must be 1 to 512 printable ASCII characters, got ${JSON.stringify(task).slice(0, 80)}.`,
    );
  }
}

export function checkKey(key: string): void {
  if (!keyPattern.test(key)) {
    throw invalidArgument(`A state key must be 1 to 1,024 ASCII characters, got ${shown(key)}.`);
  }
}

export function checkRange({ gte, lt, limit }: KeyRange): void {
  for (const bound of [gte, lt]) {
    if (!boundPattern.test(bound)) {
      throw invalidArgument(`A range bound must be at most 1,025 ASCII characters, got ${shown(bound)}.`);
    }
  }
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw invalidArgument(`A range limit must be a positive integer, got ${limit}.`);
}

export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw invalidArgument(`A position must be an offset of 0 or more, got ${position}.`);
  }
}

export function checkEntry([key, value]: StateEntry): void {
  checkKey(key);
  if (value.length > valueBytesMax) {
    throw new MillraceError(
      'TOO_LARGE',
      `The value of state key ${shown(key)} has ${value.length} bytes; at most ${valueBytesMax} are allowed. Put it in the blob store and keep its hash.`,
      { details: { key, sizeBytes: value.length, sizeBytesMax: valueBytesMax } },
    );
  }
}

/** Throws before anything is written: a batch that breaks a limit changes nothing. */
export function checkBatch(batch: StateBatch): void {
  checkPosition(batch.position);
  for (const entry of batch.put) checkEntry(entry);
  for (const key of batch.delete) checkKey(key);
}

/** The commit was refused: `why` says what was expected and what the store holds. */
export function fenced(task: string, why: string): MillraceError {
  return new MillraceError(
    'FENCED',
    `The commit of task ${task} was refused and changed nothing: ${why}. Open the task again and go on from its position.`,
    { details: { task } },
  );
}

export function unknownOutcome(task: string, cause: unknown): MillraceError {
  return new MillraceError(
    'UNKNOWN_OUTCOME',
    `Whether the commit of task ${task} was written is not known. Append nothing; open the task again.`,
    { cause, details: { task } },
  );
}

export function closed(what: string): MillraceError {
  return new MillraceError('CLOSED', `The ${what} was closed before the call.`);
}

const shown = (text: string): string => `${JSON.stringify(text.slice(0, 60))} (${text.length} characters)`;
