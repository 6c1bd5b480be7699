import { MillraceError } from '../ports/errors.ts';

/** INVALID_ARGUMENT about one tensor of a call; `details.tensor` names it. User code may give a name that is no text. */
export function tensorError(name: string, problem: string, of: 'input' | 'output' = 'input'): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', `${of} '${String(name).slice(0, 80)}': ${problem}`, {
    details: { tensor: name },
  });
}
