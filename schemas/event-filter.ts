/**
 * Filters of events as data. The dialects are those of CloudEvents Subscriptions 1.0 §3.2.4 (`exact`, `prefix`, `suffix`, `all`, `any`,
 * `not`), over CloudEvents attributes and, as `data.<path>`, over the payload; beside them `in`, `exists` and comparisons of numbers
 * and texts. Nothing is parsed or executed, so a filter from a stranger is safe, and a filter that does not hold says why.
 */

/** CloudEvents attributes as texts (`id`, `source`, `type`, `subject`, `time`, extensions) and the payload. */
export interface FilteredEvent {
  readonly attributes: Readonly<Record<string, string>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

export type Scalar = string | number | boolean | null;

/** One dialect each; a name is an attribute, or `data.` and a path into the payload. */
export type EventFilter =
  | { readonly exact: Readonly<Record<string, Scalar>> }
  | { readonly prefix: Readonly<Record<string, string>> }
  | { readonly suffix: Readonly<Record<string, string>> }
  | { readonly in: Readonly<Record<string, readonly Scalar[]>> }
  | { readonly exists: Readonly<Record<string, boolean>> }
  | { readonly gt: Readonly<Record<string, number | string>> }
  | { readonly gte: Readonly<Record<string, number | string>> }
  | { readonly lt: Readonly<Record<string, number | string>> }
  | { readonly lte: Readonly<Record<string, number | string>> }
  | { readonly all: readonly EventFilter[] }
  | { readonly any: readonly EventFilter[] }
  | { readonly not: EventFilter };

export const filterLimits = { depth: 8, nodes: 100 } as const;

/** Why the event does not pass; undefined when it does. */
export function filterMiss(filter: EventFilter, event: FilteredEvent): string | undefined {
  const [dialect, argument] = Object.entries(filter)[0] ?? ['', undefined];
  switch (dialect) {
    case 'all':
      return first(argument as readonly EventFilter[], (one) => filterMiss(one, event));
    case 'any': {
      const misses = (argument as readonly EventFilter[]).map((one) => filterMiss(one, event));
      return misses.some((miss) => miss === undefined) ? undefined : `none of: ${misses.join('; ')}`;
    }
    case 'not':
      return filterMiss(argument as EventFilter, event) === undefined
        ? `${JSON.stringify(argument)} holds, and must not`
        : undefined;
    default:
      return first(Object.entries(argument as Readonly<Record<string, unknown>>), ([name, wanted]) => {
        const value = valueOf(name, event);
        return holds(dialect, value, wanted)
          ? undefined
          : `${name} is ${shown(value)}, must ${words[dialect] ?? dialect} ${shown(wanted)}`;
      });
  }
}

/** A value of the event by name: an attribute, or `data.` and a path into the payload. */
export function valueOf(name: string, { attributes, payload }: FilteredEvent): unknown {
  if (name.startsWith('data.')) return valueAt(payload, name.slice('data.'.length));
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

/** The value at a path of property names with dots; undefined when there is none. */
export function valueAt(payload: Readonly<Record<string, unknown>>, path: string): unknown {
  let value: unknown = payload;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/** What is wrong with a filter; empty when nothing is. */
export function filterProblems(value: unknown): readonly string[] {
  const seen = { nodes: 0 };
  return problemsOf(value, 0, seen);
}

const words: Readonly<Record<string, string>> = {
  exact: 'be',
  prefix: 'begin with',
  suffix: 'end with',
  in: 'be one of',
  exists: 'exist:',
  gt: 'be greater than',
  gte: 'be at least',
  lt: 'be less than',
  lte: 'be at most',
};

const argumentProblem: Readonly<Record<string, (wanted: unknown) => boolean>> = {
  exact: isScalar,
  prefix: isText,
  suffix: isText,
  in: (wanted) => Array.isArray(wanted) && wanted.length > 0 && wanted.length <= 100 && wanted.every(isScalar),
  exists: (wanted) => typeof wanted === 'boolean',
  gt: isOrdered,
  gte: isOrdered,
  lt: isOrdered,
  lte: isOrdered,
};

function holds(dialect: string, value: unknown, wanted: unknown): boolean {
  switch (dialect) {
    case 'exact':
      return value === wanted;
    case 'prefix':
      return typeof value === 'string' && value.startsWith(wanted as string);
    case 'suffix':
      return typeof value === 'string' && value.endsWith(wanted as string);
    case 'in':
      return (wanted as readonly unknown[]).includes(value);
    case 'exists':
      return (value !== undefined) === wanted;
    default:
      return compares(dialect, value, wanted);
  }
}

/** Numbers with numbers, texts with texts (which orders ISO times); anything else does not hold. */
function compares(dialect: string, value: unknown, wanted: unknown): boolean {
  if (typeof value !== typeof wanted || !isOrdered(value) || !isOrdered(wanted)) return false;
  switch (dialect) {
    case 'gt':
      return value > wanted;
    case 'gte':
      return value >= wanted;
    case 'lt':
      return value < wanted;
    case 'lte':
      return value <= wanted;
    default:
      return false;
  }
}

function problemsOf(value: unknown, depth: number, seen: { nodes: number }): readonly string[] {
  seen.nodes += 1;
  if (depth > filterLimits.depth || seen.nodes > filterLimits.nodes)
    return [`the filter is deeper than ${filterLimits.depth} or has more than ${filterLimits.nodes} parts`];
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length !== 1)
    return [`a filter must be an object with one of ${dialects.join(', ')}`];
  const [dialect = '', argument] = (Object.entries(value)[0] ?? []) as [string, unknown];
  if (dialect === 'all' || dialect === 'any') {
    if (!Array.isArray(argument) || argument.length === 0) return [`filter '${dialect}' must be a list of filters`];
    return argument.flatMap((one) => problemsOf(one, depth + 1, seen));
  }
  if (dialect === 'not') return problemsOf(argument, depth + 1, seen);
  const fits = Object.hasOwn(argumentProblem, dialect) ? argumentProblem[dialect] : undefined;
  if (fits === undefined) return [`there is no filter '${dialect.slice(0, 40)}': use one of ${dialects.join(', ')}`];
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument))
    return [`filter '${dialect}' must map names to values`];
  return Object.entries(argument).flatMap(([name, wanted]) => [
    ...(/^(data\.\S{1,200}|[a-z][a-z0-9]{0,39})$/.test(name)
      ? []
      : [`filter '${dialect}': '${name.slice(0, 80)}' must be an attribute, or 'data.' and a path into the payload`]),
    ...(fits(wanted) ? [] : [`filter '${dialect}': the value for '${name}' does not fit, got ${shown(wanted)}`]),
  ]);
}

const dialects = [...Object.keys(argumentProblem), 'all', 'any', 'not'];

function first<T>(items: readonly T[], miss: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = miss(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isOrdered(value: unknown): value is number | string {
  return typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

function shown(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value).slice(0, 120);
}
