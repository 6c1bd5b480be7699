/** Times in query strings: milliseconds, or ISO 8601. */
import { Type } from 'typebox';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { parseTime } from '../../schemas/api/time-text.ts';

export const timeQuery = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: `${description}: milliseconds, or ISO 8601` }));

export function timeOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const at = parseTime(value);
  if (at !== undefined) return at;
  throw new MillraceError('INVALID_ARGUMENT', `${name}=${value} is no time: milliseconds, or ISO 8601`);
}
