import { S3ServiceException } from '@aws-sdk/client-s3';
import { MillraceError, messageOf } from '../../ports/errors.ts';

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;

/** The server says of the object itself that it is not there. A bucket that is gone, or what a proxy answers, says nothing of it. */
export const isMissing = (error: unknown): boolean =>
  statusOf(error) === 404 && error instanceof Error && error.name === 'NoSuchKey';

/**
 * A 404 without S3's word for what is missing. Answers to HEAD have none: they may speak of the object, of the bucket, or be those of a
 * proxy before the server.
 */
export const isUntold404 = (error: unknown): boolean =>
  statusOf(error) === 404 && error instanceof Error && error.name === 'NotFound';

export const isUnsatisfiableRange = (error: unknown): boolean => statusOf(error) === 416;

/** What S3 said, as an error of the platform; errors of the platform pass through. */
export function s3Error(where: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const said = `${error instanceof Error ? error.name : 'Error'}: ${messageOf(error)}`;
  const status = statusOf(error);
  if (status === 507 || /QuotaExceeded|StorageFull|InsufficientStorage|no space left/i.test(said)) {
    return new MillraceError('DISK_FULL', `No space is left in ${where} (${said}); nothing of the blob is kept.`, {
      cause: error,
    });
  }
  if (status === 401 || status === 403) {
    return new MillraceError(
      'INVALID_CONFIGURATION',
      `Access to ${where} was refused (${said}). Check the access key, its secret and the permissions of the bucket.`,
      { cause: error },
    );
  }
  return new MillraceError('UNAVAILABLE', `The ${where} did not do what was asked (${said}).`, { cause: error });
}
