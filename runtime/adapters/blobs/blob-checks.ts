import { createHash } from 'node:crypto';
import { MillraceError } from '../../ports/errors.ts';

const hashPattern = /^[0-9a-f]{64}$/;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The gate before every path and key: nothing but a sha256 in lower-case hex passes. */
export function checkHash(hash: string): void {
  if (typeof hash !== 'string' || !hashPattern.test(hash)) {
    const shown = JSON.stringify(String(hash).slice(0, 80));
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `A blob is named by 64 lower-case hex digits (its sha256), got ${shown}.`,
    );
  }
}

/** `[start, end)` cut at the blob's end. */
export function checkedRange(hash: string, start: number, end: number, sizeBytes: number): readonly [number, number] {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || start > sizeBytes) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `The range [${start}, ${end}) is not within the ${sizeBytes} bytes of blob ${hash}: start and end must be integers with 0 ≤ start ≤ end and start ≤ ${sizeBytes}.`,
      { details: { hash, start, end, sizeBytes } },
    );
  }
  return [start, Math.min(end, sizeBytes)];
}

export function notFound(hash: string, where: string): MillraceError {
  return new MillraceError('NOT_FOUND', `There is no blob ${hash} in ${where}.`, { details: { hash } });
}

export function corrupt(hash: string, where: string, got: string): MillraceError {
  return new MillraceError(
    'CORRUPT',
    `The bytes of blob ${hash} in ${where} have the hash ${got}. Delete the blob and put its bytes again, or restore it from a backup.`,
    { details: { hash, got } },
  );
}

export function closed(): MillraceError {
  return new MillraceError('CLOSED', 'The blob store was closed before the call.');
}

/** Passes chunks on and rejects with CORRUPT at the end when they do not have the hash. */
export async function* verified(
  hash: string,
  where: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digest = createHash('sha256');
  for await (const chunk of chunks) {
    digest.update(chunk);
    yield chunk;
  }
  const got = digest.digest('hex');
  if (got !== hash) throw corrupt(hash, where, got);
}
