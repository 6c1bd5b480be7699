import { MillraceError } from '../../runtime/ports/errors.ts';
import { parseTime } from '../../schemas/api/time-text.ts';

/** INVALID_ARGUMENT, naming the parameter, when it is no time. */
export function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseTime(text);
  if (ms === undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${name} '${text}' is no time: milliseconds since the epoch, or ISO 8601`,
    );
  return ms;
}
