/** Parameters of a flow: their declaration as data, and values checked against it. */

export type ParameterType = 'string' | 'number' | 'integer' | 'boolean' | 'json';

export interface ParameterSpec {
  readonly type: ParameterType;
  /** Given when nobody says a value. */
  readonly default?: unknown;
  /** A run without a value is refused; has no meaning beside a default. */
  readonly required: boolean;
  readonly help?: string;
}

export type ResolvedParameters =
  | { readonly values: Readonly<Record<string, unknown>>; readonly problems?: undefined }
  | { readonly problems: readonly string[] };

/**
 * The values of a run: what was given, else the default. Texts are read as the declared type, because command lines, environment
 * variables and payloads bring texts. A parameter that is neither required nor given is null.
 */
export function resolveParameters(
  specs: Readonly<Record<string, ParameterSpec>>,
  given: Readonly<Record<string, unknown>>,
): ResolvedParameters {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(specs, name)) {
      const known = Object.keys(specs);
      problems.push(
        `there is no parameter '${name.slice(0, 80)}'; the flow has ${known.length === 0 ? 'none' : known.join(', ')}`,
      );
    }
  }
  for (const [name, spec] of Object.entries(specs)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined || value === null) {
      if (spec.default === undefined && spec.required) problems.push(`parameter '${name}' (${spec.type}) is required`);
      values[name] = spec.default ?? null;
      continue;
    }
    const read = readValue(spec.type, value);
    if (read === undefined) problems.push(`parameter '${name}' must be ${described[spec.type]}, got ${shown(value)}`);
    else values[name] = read;
  }
  return problems.length > 0 ? { problems } : { values };
}

/** What is wrong with declarations; empty when nothing is. */
export function parameterProblems(specs: Readonly<Record<string, unknown>>): readonly string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(specs)) {
    if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) {
      problems.push(
        `parameter '${name.slice(0, 80)}' must be named by letters, digits or '_', beginning with a letter`,
      );
    }
    const spec = value as Partial<ParameterSpec> | null;
    if (typeof spec !== 'object' || spec === null || spec.type === undefined || !Object.hasOwn(described, spec.type)) {
      problems.push(`parameter '${name}' must have a type of ${Object.keys(described).join(', ')}`);
    } else if (spec.default !== undefined && readValue(spec.type, spec.default) === undefined) {
      problems.push(`parameter '${name}': its default must be ${described[spec.type]}, got ${shown(spec.default)}`);
    }
  }
  return problems;
}

const described: Readonly<Record<ParameterType, string>> = {
  string: 'a text',
  number: 'a number',
  integer: 'an integer',
  boolean: 'true or false',
  json: 'JSON',
};

/** The value as the type; undefined when it is none. */
function readValue(type: ParameterType, value: unknown): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'number':
    case 'integer': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
      return type === 'number' || Number.isSafeInteger(number) ? number : undefined;
    }
    case 'boolean':
      if (value === true || value === 'true') return true;
      return value === false || value === 'false' ? false : undefined;
    case 'json':
      return typeof value === 'string' ? parsed(value) : value;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}
