/** Limits and names, as in `mlflow/utils/validation.py`. Lengths are in characters. */
import { invalidArgument } from '../../../runtime/ports/errors.ts';
import type { Fields } from './fields.ts';

const keyMax = 250;
export const limits = {
  paramValue: 6_000,
  tagValue: 8_000,
  experimentName: 500,
  experimentTagValue: 20_000,
  registryTagValue: 100_000,
  description: 100_000,
  metricsPerBatch: 1_000,
  paramsPerBatch: 100,
  tagsPerBatch: 100,
  entitiesPerBatch: 1_000,
} as const;

interface Pair {
  readonly key: string;
  readonly value: string;
}

/** Of a metric, parameter or tag. */
export function checkKey(key: string, what: string): string {
  if (key === '') throw invalidArgument(`${what} name cannot be empty`);
  if (key.length > keyMax)
    throw invalidArgument(
      `${what} name '${key.slice(0, 60)}…' had length ${key.length}, which exceeded length limit of ${keyMax}`,
    );
  if (!/^[/\p{L}\p{N}_.\- :]+$/u.test(key) || key === '__proto__') {
    throw invalidArgument(
      `Invalid ${what} name: '${key}'. Names may only contain letters, digits, underscores, dashes, periods, spaces, colons and slashes`,
    );
  }
  const segments = key.split('/');
  if (
    segments.some(
      (segment, index) => segment === '' || segment === '..' || (segment === '.' && (index > 0 || segments.length > 1)),
    )
  ) {
    throw invalidArgument(
      `Invalid ${what} name: '${key}'. It must be a path in its shortest form, without '.', '..' and empty parts`,
    );
  }
  return key;
}

export function pairOf(fields: Fields, what: string, valueMax: number): Pair {
  return { key: checkKey(fields.optional('key') ?? '', what), value: cut(fields.optional('value') ?? '', valueMax) };
}

/** The last one counts when a key comes again. */
export function pairsOf(fields: readonly Fields[], what: string, valueMax: number): Record<string, string> {
  return Object.fromEntries(fields.map((field) => pairOf(field, what, valueMax)).map(({ key, value }) => [key, value]));
}

/** Longer values are cut, as MLflow does by default. */
export function cut(text: string, max: number): string {
  return lengthOf(text, max) <= max ? text : Array.from(text).slice(0, max).join('');
}

export function checkLength(text: string, max: number, what: string): string {
  const length = lengthOf(text, max);
  if (length <= max) return text;
  throw invalidArgument(`${what} had length ${length}, which exceeded length limit of ${max}`);
}

/** A character beyond the first 65,536 is one, as in Python. Exact where it is above `max`. */
function lengthOf(text: string, max: number): number {
  return text.length <= max ? text.length : Array.from(text).length;
}

/** The first of these fields that is there. */
export function idIn(fields: Fields, ...names: readonly string[]): string {
  const id = names.map((name) => fields.optional(name)).find((value) => value !== undefined && value !== '');
  if (id === undefined) throw invalidArgument(`Missing value for required parameter '${names[0]}'.`);
  if (!/^[a-zA-Z0-9][\w-]{0,255}$/.test(id)) throw invalidArgument(`Invalid ${names[0]}: '${id.slice(0, 80)}'`);
  return id;
}

export const runIdOf = (fields: Fields): string => idIn(fields, 'run_id', 'run_uuid');
