import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { MillraceError, messageOf } from '../ports/errors.ts';
import { nearest } from './nearest.ts';
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
      if (typeof value === 'string' && (!('pattern' in setting) || new RegExp(`^${setting.pattern}$`).test(value)))
        return value;
      problems.push(`${where} must be ${'pattern' in setting ? setting.accepts : 'a text'}, got ${got}`);
      break;
    case 'list': {
      const items = itemsOf(value);
      const whole = new RegExp(`^${setting.item}$`);
      const wrong = items?.find((item) => typeof item !== 'string' || !whole.test(item));
      if (items !== undefined && wrong === undefined && (items.length > 0 || setting.mayBeEmpty === true)) return items;
      problems.push(
        `${where} must be ${setting.accepts}, by comma, got ${items === undefined || items.length === 0 ? got : `'${String(wrong)}'`}`,
      );
      break;
    }
    case 'json': {
      const parsed = typeof value === 'string' ? parsedJson(value) : value;
      if (hasShape(parsed, setting.shape)) return parsed;
      const what = setting.shape === 'texts' ? 'a JSON object whose values are texts' : 'a JSON list of objects';
      problems.push(`${where} must be ${what}, got '${typeof value === 'string' ? value : JSON.stringify(value)}'`);
      break;
    }
  }
  return settings[name].default;
}

/** Undefined for what is no list. */
function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[];
  if (typeof value !== 'string') return undefined;
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function hasShape(value: unknown, shape: 'texts' | 'objects'): boolean {
  const isObject = (item: unknown): boolean => typeof item === 'object' && item !== null && !Array.isArray(item);
  if (shape === 'objects') return Array.isArray(value) && value.every(isObject);
  return isObject(value) && Object.values(value as object).every((item) => typeof item === 'string');
}

/** Nested keys become dotted names; what a setting takes as an object stays one. */
function readFile(path: string, problems: string[]): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    // Loaded when there is a file: most processes have none.
    const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
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
    const setting: Setting | undefined = Object.hasOwn(settings, prefix + key)
      ? settings[(prefix + key) as SettingName]
      : undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && setting?.type !== 'json')
      flatten(`${prefix}${key}.`, value as Record<string, unknown>, to);
    else to[prefix + key] = value;
  }
}

function unknownName(name: string, where: string): string {
  const near = nearest(name, Object.keys(settings), 3);
  const hint = near === undefined ? '' : `; did you mean '${near}'?`;
  return `'${name}' (${where}) is no setting${hint}`;
}
