/** Parameters of a flow: their declaration as data, and values checked against it. */
import { shownValue } from './shown-value.ts';

export type ScalarType = 'string' | 'number' | 'integer' | 'boolean';
export type ParameterType = ScalarType | 'json' | 'list' | 'enum' | 'file';

export interface ParameterSpec {
  readonly type: ParameterType;
  /** Given when nobody says a value. Of a file: its path beside the flow's file, as a {@link FileValue}. */
  readonly default?: unknown;
  /** A run without a value is refused; has no meaning beside a default. */
  readonly required: boolean;
  readonly help?: string;
  /** Of a list: what its elements are. @default string */
  readonly of?: ScalarType;
  /** Of a list: what stands between elements in a text. @default ',' */
  readonly separator?: string;
  /** Of an enum: what is allowed. */
  readonly values?: readonly (string | number | boolean)[];
  /** Of a file: how a step sees its content. @default text */
  readonly as?: FileForm;
}

export type FileForm = 'text' | 'bytes' | 'json';

/**
 * Where the content of a file lies: in a blob that was uploaded, in the bundle of the flow, or here. In a run it is one of these; its
 * steps see the content.
 */
export type FileValue =
  | { readonly hash: string; readonly sizeBytes: number; readonly name?: string }
  | { readonly path: string }
  | { readonly content: string };

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
    const read = readValue(spec, value);
    if (read === undefined)
      problems.push(`parameter '${name}' must be ${describeType(spec)}, got ${shownValue(value)}`);
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
    if (typeof spec !== 'object' || spec === null || spec.type === undefined || !types.includes(spec.type)) {
      problems.push(`parameter '${name}' must have a type of ${types.join(', ')}`);
      continue;
    }
    const known = spec as ParameterSpec;
    const problem = detailProblem(known);
    if (problem !== undefined) problems.push(`parameter '${name}' ${problem}`);
    else if (known.default !== undefined && defaultValue(known) === undefined)
      problems.push(
        `parameter '${name}': its default must be ${describeType(known)}, got ${shownValue(known.default)}`,
      );
  }
  return problems;
}

/** What a value must be, for people. */
export function describeType(spec: Pick<ParameterSpec, 'type' | 'of' | 'separator' | 'values'>): string {
  switch (spec.type) {
    case 'list':
      return `a list of ${plural[spec.of ?? 'string']}, as JSON or with '${spec.separator ?? ','}' between`;
    case 'enum':
      return `one of ${(spec.values ?? []).map((value) => JSON.stringify(value)).join(', ')}`;
    default:
      return described[spec.type];
  }
}

/** Names of the file parameters, with how steps see them. */
export function fileParameters(specs: Readonly<Record<string, ParameterSpec>>): Readonly<Record<string, FileForm>> {
  const files = Object.entries(specs).filter(([, { type }]) => type === 'file');
  return Object.fromEntries(files.map(([name, { as = 'text' }]) => [name, as]));
}

const scalars = ['string', 'number', 'integer', 'boolean'] as const;
const types: readonly ParameterType[] = [...scalars, 'json', 'list', 'enum', 'file'];

const described: Readonly<Record<Exclude<ParameterType, 'list' | 'enum'>, string>> = {
  string: 'a text',
  number: 'a number',
  integer: 'an integer',
  boolean: 'true or false',
  json: 'JSON',
  file: 'the content of a file as text, or the hash and size of one that was uploaded',
};

const plural: Readonly<Record<ScalarType, string>> = {
  string: 'texts',
  number: 'numbers',
  integer: 'integers',
  boolean: 'true or false',
};

function detailProblem({
  type,
  of = 'string',
  separator = ',',
  values,
  as = 'text',
}: ParameterSpec): string | undefined {
  if (type === 'list' && !scalars.includes(of)) return `is a list of '${String(of)}': say ${scalars.join(', ')}`;
  if (type === 'list' && (typeof separator !== 'string' || separator === ''))
    return 'needs a separator of one character or more';
  if (type === 'enum') {
    if (!Array.isArray(values) || values.length === 0) return 'is an enum and needs values: a list of those allowed';
    if (values.some((value: unknown) => !['string', 'number', 'boolean'].includes(typeof value)))
      return 'is an enum: its values must be texts, numbers or booleans';
    if (new Set(values.map(String)).size < values.length) return 'is an enum: two of its values read alike';
  }
  if (type === 'file' && !['text', 'bytes', 'json'].includes(as))
    return `is seen as '${String(as)}': say text, bytes or json`;
  return undefined;
}

function defaultValue(spec: ParameterSpec): unknown {
  if (spec.type !== 'file') return readValue(spec, spec.default);
  return typeof (spec.default as { path?: unknown } | null)?.path === 'string' ? spec.default : undefined;
}

/** The value as the type; undefined when it is none. */
function readValue(spec: ParameterSpec, value: unknown): unknown {
  switch (spec.type) {
    case 'json':
      return typeof value === 'string' ? parsed(value) : value;
    case 'list':
      return readList(spec, value);
    case 'enum':
      return (spec.values ?? []).find((allowed) => String(allowed) === String(value));
    case 'file':
      return readFileValue(value, spec.default);
    default:
      return readScalar(spec.type, value);
  }
}

function readScalar(type: ScalarType, value: unknown): unknown {
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
  }
}

function readList({ of = 'string', separator = ',' }: ParameterSpec, value: unknown): unknown {
  const list = typeof value === 'string' ? listOf(value, separator) : value;
  if (!Array.isArray(list)) return undefined;
  const read = list.map((element: unknown) => readScalar(of, element));
  return read.includes(undefined) ? undefined : read;
}

/** `["a","b"]` or `a, b`; an empty text is an empty list. */
function listOf(text: string, separator: string): unknown {
  const json = text.trimStart().startsWith('[') ? parsed(text) : undefined;
  if (Array.isArray(json)) return json;
  return text.trim() === '' ? [] : text.split(separator).map((element) => element.trim());
}

function readFileValue(value: unknown, fallback: unknown): FileValue | undefined {
  if (typeof value === 'string') return { content: value };
  if (typeof value !== 'object' || value === null) return undefined;
  const { hash, sizeBytes, name, content, path } = value as Readonly<Record<string, unknown>>;
  if (typeof content === 'string') return { content };
  // only the flow itself names a file of its bundle
  if (path !== undefined)
    return path === (fallback as { path?: unknown } | undefined)?.path ? { path: String(path) } : undefined;
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return undefined;
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return undefined;
  return { hash, sizeBytes, ...(typeof name === 'string' ? { name: name.slice(0, 200) } : {}) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
