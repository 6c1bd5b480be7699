/** Which runs a list shows, as a query string says it. */
import { type Static, Type } from 'typebox';
import { MillraceError } from '../../runtime/ports/index.ts';
import { limitOf, limitQuery, nameParam } from './gateway-context.ts';
import { parseTime } from '../../schemas/api/time-text.ts';
import type { NamedValue, RunSearch } from '../../schemas/api/runs.ts';

const text = Type.String({ minLength: 1, maxLength: 500 });
const several = (description: string) =>
  Type.Optional(Type.Union([text, Type.Array(text, { maxItems: 20 })], { description }));
const time = (description: string) =>
  Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$|^[0-9]{4}-[0-9]{2}-[0-9]{2}', maxLength: 40, description }));

export const cursorQuery = Type.Optional(
  Type.String({ minLength: 1, maxLength: 450, description: '`next` of the page before' }),
);

export const listQuery = Type.Object({
  flow: Type.Optional(nameParam),
  status: Type.Optional(Type.Enum(['running', 'completed', 'failed', 'cancelled'])),
  actor: Type.Optional(text),
  since: time('requested at or after: milliseconds, or ISO 8601'),
  until: time('requested before: milliseconds, or ISO 8601'),
  tag: several('user or system tag; a run has all that are given'),
  parameter: several('`name=value`, the value as JSON or plain text'),
  artifact: several('`name=value` of an artifact of any task, the value as short JSON or plain text'),
  limit: limitQuery,
  cursor: cursorQuery,
});
export type ListQuery = Static<typeof listQuery>;

export function runFilterOf({ flow, status, actor, since, until, limit, cursor, ...many }: ListQuery): RunSearch {
  return {
    flow,
    status,
    actor,
    cursor,
    since: timeOf('since', since),
    until: timeOf('until', until),
    tags: listOf(many.tag),
    parameters: listOf(many.parameter)?.map((pair) => namedValue('parameter', pair)),
    artifacts: listOf(many.artifact)?.map((pair) => namedValue('artifact', pair)),
    limit: limitOf(limit),
  };
}

/** JSON as it is written by the platform; what is none is a text. */
export function jsonText(value: string): string {
  try {
    return JSON.stringify(JSON.parse(value));
  } catch {
    return JSON.stringify(value);
  }
}

function namedValue(what: string, pair: string): NamedValue {
  const at = pair.indexOf('=');
  if (at < 1) throw new MillraceError('INVALID_ARGUMENT', `${what}=${pair}: write it as name=value`);
  return { name: pair.slice(0, at), value: jsonText(pair.slice(at + 1)) };
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value;
}

function timeOf(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const at = parseTime(value);
  if (at !== undefined) return at;
  throw new MillraceError('INVALID_ARGUMENT', `${name}=${value} is no time: milliseconds, or ISO 8601`);
}
