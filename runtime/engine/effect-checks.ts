import { invalidArgument, MillraceError } from '../ports/errors.ts';
import type { EncodedOutput } from './output-encoder.ts';
import type { Effects } from './topology.ts';

/**
 * What a store or the log would refuse later, after other folds of the batch succeeded, is refused here: the record whose fold asks
 * for it dies alone.
 */

/** Bytes that one fold may say; more is said window by window, by a timer that is due at once and a cursor in the state. */
export const foldBytesMax = 4 * 1024 * 1024;

/** The state port takes ASCII keys of 1,024 characters, the engine's prefix among them. */
const keyPattern = /^[\0-\x7f]{0,1000}$/;

export function checkTogether(encoded: readonly EncodedOutput[]): void {
  if (encoded.length === 0) return;
  let sizeBytes = 0;
  for (const { output, value, partitions } of encoded)
    sizeBytes += partitions.length * bytesOf(value?.length ?? 0, output.key.length);
  if (sizeBytes <= foldBytesMax) return;
  throw new MillraceError(
    'TOO_LARGE',
    `one fold says ${encoded.length} outputs of ${sizeBytes} bytes together, at most ${foldBytesMax} are allowed: say them window by window`,
  );
}

/** A record in the outbox, about: value, key (also as subject), headers. */
export function bytesOf(valueBytes: number, keyBytes: number): number {
  return 300 + valueBytes + 2 * keyBytes;
}

export function checkEffects({ put, delete: remove, setTimers, clearTimers, count }: Effects): void {
  for (const [key] of put ?? []) checkKey(key);
  for (const key of remove ?? []) checkKey(key);
  for (const name of clearTimers ?? []) checkKey(name);
  for (const { name, dueMs } of setTimers ?? []) {
    checkKey(name);
    if (!Number.isFinite(dueMs)) throw invalidArgument(`the timer '${name}' is due at ${dueMs}, which is no time`);
  }
  for (const counter in count)
    if (!Number.isFinite(count[counter]))
      throw invalidArgument(`the counter '${counter}' cannot grow by ${count[counter]}`);
}

function checkKey(key: string): void {
  if (!isStateKey(key))
    throw invalidArgument(
      `a key of the state must be at most 1,000 ASCII characters, got ${JSON.stringify(key).slice(0, 80)}`,
    );
}

/** False for a key that no store takes; it has no value. */
export function isStateKey(key: string): boolean {
  return keyPattern.test(key);
}
