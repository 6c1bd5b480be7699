import { MillraceError, messageOf } from '../../ports/errors.ts';

/** The mark is as it was, so nothing of the transaction was written. LMDB says EIO when a write was cut short by a full disk. */
export function notWritten(task: string, cause: unknown): MillraceError {
  const options = { cause, details: { task } };
  if (/ENOSPC|EDQUOT|EFBIG|EIO|No space left|quota|too large|Input\/output error/i.test(messageOf(cause))) {
    const why = `No space is left to write the state of task ${task} (${messageOf(cause)}); nothing was written`;
    return new MillraceError('DISK_FULL', `${why}. Free some space.`, options);
  }
  return new MillraceError(
    'UNAVAILABLE',
    `The state of task ${task} could not be written: ${messageOf(cause)}.`,
    options,
  );
}

/** Each write of a batch answers for itself; the batch's own promise is the one that is looked at. */
export function ignoreRejections(writes: readonly Promise<boolean>[]): void {
  let last: Promise<boolean> | undefined;
  for (const write of writes) {
    if (write !== last) write.catch(() => {});
    last = write;
  }
}

/** Why a transaction failed: the library says that on a promise of its own. */
export async function commitErrorOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
