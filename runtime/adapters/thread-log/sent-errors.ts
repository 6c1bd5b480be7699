import { type ErrorCode, MillraceError, messageOf } from '../../ports/errors.ts';
import type { SentError } from './messages.ts';

export function sentError(error: unknown): SentError {
  const known = error instanceof MillraceError ? error : undefined;
  return { code: known?.code, message: messageOf(error), details: plain(known?.details) };
}

export function receivedError({ code, message, details }: SentError): Error {
  if (code === undefined) return new Error(message);
  return new MillraceError(code as ErrorCode, message, details === undefined ? {} : { details });
}

/** Details may hold what cannot go to another thread. */
function plain(details: Readonly<Record<string, unknown>> | undefined): SentError['details'] {
  if (details === undefined) return undefined;
  try {
    return structuredClone(details);
  } catch {
    return undefined;
  }
}
