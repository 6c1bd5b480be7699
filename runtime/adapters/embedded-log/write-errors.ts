import { messageOf, MillraceError } from '../../ports/errors.ts';

/** A write failed and was undone: what the caller hears. */
export function writeRefused(directory: string, error: unknown): MillraceError {
  const full = isSystemError(error, 'ENOSPC', 'EDQUOT', 'EFBIG');
  return full
    ? new MillraceError(
        'DISK_FULL',
        `No space is left under ${directory}. Nothing of the call was written: free space and try again.`,
        {
          cause: error,
          details: { directory },
        },
      )
    : new MillraceError('UNAVAILABLE', `A write under ${directory} failed and was undone: ${messageOf(error)}.`, {
        cause: error,
        details: { directory },
      });
}

/** A write, or its way back, failed in a way that leaves open what is on the disk. */
export function outcomeUnknown(directory: string, error: unknown): MillraceError {
  return new MillraceError(
    'UNKNOWN_OUTCOME',
    `Whether an append under ${directory} is on the disk is not known: ${messageOf(error)}. Look at the end of the log, or append again.`,
    { cause: error, details: { directory } },
  );
}

function isSystemError(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
