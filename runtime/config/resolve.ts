import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { MillraceError, messageOf } from '../ports/errors.ts';
import { type Configuration, environmentName, type Setting, type SettingName, settings } from './settings.ts';

export interface ConfigurationSources {
  /** `--set name=value` and dedicated flags. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** A YAML file; a missing file is an error only when it was asked for. */
  readonly file?: string;
}

type Found = { readonly value: unknown; readonly where: string };

/** Puts the sources together and validates the whole: one error lists every problem, with its place and what is accepted. */
export function resolveConfiguration(sources: ConfigurationSources = {}): Configuration {
  const problems: string[] = [];
  const file = sources.file === undefined ? {} : readFile(sources.file, problems);
  for (const name of Object.keys(sources.flags ?? {}))
    if (!(name in settings)) problems.push(unknownName(name, 'flag'));
  for (const name of Object.keys(file))
    if (!(name in settings)) problems.push(unknownName(name, sources.file ?? 'file'));
  const resolved: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings) as [SettingName, Setting][]) {
    const found = find(name, sources, file);
    resolved[name] = found === undefined ? setting.default : check(name, setting, found, problems);
  }
  if (problems.length > 0) {
    throw new MillraceError(
      'INVALID_CONFIGURATION',
      `the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n- ${problems.join('\n- ')}`,
      {
        details: { problems },
      },
    );
  }
  return resolved as Configuration;
}

function find(
  name: SettingName,
  sources: ConfigurationSources,
  file: Readonly<Record<string, unknown>>,
): Found | undefined {
  const flag = sources.flags?.[name];
  if (flag !== undefined) return { value: flag, where: `flag ${name}` };
  const variable = environmentName(name);
  const fromEnvironment = sources.environment?.[variable];
  if (fromEnvironment !== undefined) return { value: fromEnvironment, where: variable };
  return Object.hasOwn(file, name) ? { value: file[name], where: `${name} in ${sources.file ?? 'file'}` } : undefined;
}

function check(name: SettingName, setting: Setting, { value, where }: Found, problems: string[]): unknown {
  const got = 'secret' in setting ? 'a secret' : `'${String(value)}'`;
  switch (setting.type) {
    case 'choice':
      if (typeof value === 'string' && setting.choices.includes(value)) return value;
      problems.push(`${where} must be one of ${setting.choices.map((choice) => `'${choice}'`).join(', ')}, got ${got}`);
      break;
    case 'integer': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof number === 'number' && Number.isInteger(number) && number >= setting.min && number <= setting.max)
        return number;
      problems.push(`${where} must be a whole number from ${setting.min} to ${setting.max}, got ${got}`);
      break;
    }
    case 'switch':
      if (value === true || value === 'true' || value === '1') return true;
      if (value === false || value === 'false' || value === '0') return false;
      problems.push(`${where} must be true or false, got ${got}`);
      break;
    case 'text':
      if (
        typeof value === 'string' &&
        (setting.pattern === undefined || new RegExp(`^${setting.pattern}$`).test(value))
      )
        return value;
      problems.push(
        `${where} must be a text${setting.pattern === undefined ? '' : ` that matches ${setting.pattern}`}, got ${got}`,
      );
      break;
  }
  return settings[name].default;
}

/** Nested keys become dotted names. */
function readFile(path: string, problems: string[]): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    problems.push(`${path} cannot be read: ${messageOf(error)}`);
    return {};
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push(`${path} must hold a mapping of settings`);
    return {};
  }
  const flat: Record<string, unknown> = {};
  flatten('', content as Record<string, unknown>, flat);
  return flat;
}

function flatten(prefix: string, from: Readonly<Record<string, unknown>>, to: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(from)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      flatten(`${prefix}${key}.`, value as Record<string, unknown>, to);
    else to[prefix + key] = value;
  }
}

function unknownName(name: string, where: string): string {
  const near = Object.keys(settings)
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const hint = near !== undefined && near.distance <= 3 ? `; did you mean '${near.known}'?` : '';
  return `'${name}' (${where}) is no setting${hint}`;
}

/** Levenshtein distance. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
