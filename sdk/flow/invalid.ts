import { MillraceError } from '../../runtime/ports/errors.ts';

/** A flow that is declared wrongly. */
export function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}
