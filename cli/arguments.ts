/** What a person typed, read as what it must be. Each error is INVALID_ARGUMENT and names the option and what was typed. */
import { MillraceError } from '../runtime/ports/errors.ts';
import { parseDurationMs } from '../schemas/durations.ts';

interface Bounds {
  /** @default 1 */
  readonly least?: number;
  /** @default 999999999 */
  readonly most?: number;
}

const mostOfAll = 999_999_999;

/** Digits alone, within the bounds; what was not given stays so. */
export function wholeNumber(option: string, text: string, bounds?: Bounds): number;
export function wholeNumber(option: string, text: string | undefined, bounds?: Bounds): number | undefined;
export function wholeNumber(
  option: string,
  text: string | undefined,
  { least = 1, most = mostOfAll }: Bounds = {},
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const bounds = most === mostOfAll ? `from ${least}` : `from ${least} to ${most}`;
  throw wrong(`${option} must be a whole number ${bounds}, got '${short(text)}'`);
}

/** What was not given stays so. */
export function finiteNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw wrong(`${option} must be a finite number, got '${short(text)}'`);
}

/** A JSON list; undefined when it is no list. What its values must be, who takes them says. */
export function perRow<T>(option: string, text: string | undefined): readonly (T | null)[] | undefined {
  if (text === undefined || !text.trim().startsWith('[')) return undefined;
  try {
    return JSON.parse(text) as readonly (T | null)[];
  } catch {
    throw wrong(`${option} begins as a list: it must be JSON such as '[1, null, 3]', got '${short(text)}'`);
  }
}

/** Milliseconds of `90s`, `12h`, `30d` and the like. */
export function durationMs(option: string, text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw wrong(`${option} must be a time such as 90s, 12h or 30d, got '${short(text)}'`);
  return ms;
}

/** `name=value`. */
export function namedValue(option: string, text: string, separator: '=' | ':' = '='): readonly [string, string] {
  const at = text.indexOf(separator);
  if (at < 1) throw wrong(`${option} ${short(text)}: write it as name${separator}value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `name=value`, each. */
export function namedValues(option: string, texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map((text) => namedValue(option, text)));
}

/** JSON; what is none is a text. */
export function looseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  const value = looseValue(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(`expected a JSON object such as '{"seed": 40}', got '${short(text)}'`);
}

/** `<run>`, `<run>/<step>`, `<run>/<task>` or `<run>/<step>/<task>`: a task's id names its step. */
export function taskTarget(text: string): { readonly runId: string; readonly of: string | undefined } {
  const [runId = '', ...rest] = text.split('/');
  if (/^[0-9a-f]{32}$/.test(runId) && rest.length <= 2) return { runId, of: rest.at(-1) };
  throw wrong(`'${text.slice(0, 200)}' is not <run>, <run>/<step> or <run>/<task>: \`millrace runs list\` shows runs`);
}

const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

function wrong(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}
