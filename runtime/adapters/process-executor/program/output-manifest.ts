import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aliasProblem, modelProblem } from '../../../../schemas/codec/model-names.ts';
import { messageOf } from '../../../ports/errors.ts';
import { parseLooseJson } from './loose-json.ts';
import { userFailure } from './program-failure.ts';

/** What a program may say about what it leaves: `manifest.json` in its output folder. */
export interface OutputManifest {
  readonly artifacts: Readonly<Record<string, LeftArtifact>>;
  readonly metrics: Readonly<Record<string, number>> | undefined;
  readonly params: Readonly<Record<string, unknown>> | undefined;
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly models: readonly LeftModel[];
}

export type LeftArtifact = { readonly path: string; readonly codec: string | undefined } | { readonly value: unknown };

export interface LeftModel {
  readonly model: string;
  /** File in the output folder. */
  readonly path: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly alias: string | null;
  readonly description: string;
}

type Json = Readonly<Record<string, unknown>>;

/** Reads the manifest; one with nothing in it when there is none. All that is wrong is said at once. */
export function readOutputManifest(directory: string): OutputManifest {
  const file = join(directory, 'manifest.json');
  if (!existsSync(file)) return { artifacts: {}, metrics: undefined, params: undefined, tags: undefined, models: [] };
  let value: unknown;
  try {
    value = parseLooseJson(readFileSync(file, 'utf8'));
  } catch (error) {
    throw userFailure(`the output manifest ${file} is no JSON: ${messageOf(error)}`);
  }
  const problems: string[] = [];
  const manifest = manifestOf(value, problems);
  if (problems.length > 0) throw userFailure(`the output manifest ${file} is wrong: ${problems.join('; ')}`);
  return manifest;
}

function manifestOf(value: unknown, problems: string[]): OutputManifest {
  if (!isObject(value)) {
    problems.push('it must be an object');
    return { artifacts: {}, metrics: undefined, params: undefined, tags: undefined, models: [] };
  }
  onlyKeys(value, ['artifacts', 'metrics', 'params', 'tags', 'models'], 'it', problems);
  const artifacts: Record<string, LeftArtifact> = {};
  for (const [name, left] of Object.entries(objectAt(value, 'artifacts', problems) ?? {})) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
      problems.push(`artifact '${name.slice(0, 130)}' must be named by letters, digits and '_'`);
    else if (typeof left === 'string') artifacts[name] = { path: left, codec: undefined };
    else if (isObject(left) && 'value' in left) {
      onlyKeys(left, ['value'], `artifact '${name}'`, problems);
      artifacts[name] = { value: left['value'] };
    } else if (isObject(left) && typeof left['path'] === 'string') {
      onlyKeys(left, ['path', 'codec'], `artifact '${name}'`, problems);
      const { path, codec } = left as { path: string; codec?: unknown };
      if (codec !== undefined && typeof codec !== 'string') problems.push(`artifact '${name}': codec must be a text`);
      else artifacts[name] = { path, codec };
    } else problems.push(`artifact '${name}' must be a path, {path, codec} or {value}`);
  }
  const models = value['models'] ?? [];
  if (!Array.isArray(models)) problems.push('models must be a list');
  return {
    artifacts,
    metrics: numbersAt(value, 'metrics', 'metric', problems, true),
    params: objectAt(value, 'params', problems),
    tags: textsAt(value, 'tags', 'tag', problems),
    models: Array.isArray(models) ? models.flatMap((model, index) => modelOf(model, index, problems)) : [],
  };
}

function modelOf(value: unknown, index: number, problems: string[]): readonly LeftModel[] {
  const what = `models[${index}]`;
  if (!isObject(value) || typeof value['model'] !== 'string' || typeof value['path'] !== 'string') {
    problems.push(`${what} must be {model, path} with a name and the file of an ONNX model`);
    return [];
  }
  onlyKeys(value, ['model', 'path', 'metrics', 'tags', 'alias', 'description'], what, problems);
  const {
    model,
    path,
    alias = null,
    description = '',
  } = value as {
    model: string;
    path: string;
    alias?: unknown;
    description?: unknown;
  };
  const wrong = modelProblem(model);
  if (wrong !== undefined) problems.push(`${what}: ${wrong}`);
  if (alias !== null && typeof alias !== 'string') problems.push(`${what}: alias must be a text`);
  const wrongAlias = typeof alias === 'string' ? aliasProblem(alias) : undefined;
  if (wrongAlias !== undefined) problems.push(`${what}: ${wrongAlias}`);
  if (typeof description !== 'string') problems.push(`${what}: description must be a text`);
  const inner: string[] = [];
  const metrics = numbersAt(value, 'metrics', 'metric', inner, false) ?? {};
  const tags = textsAt(value, 'tags', 'tag', inner) ?? {};
  problems.push(...inner.map((problem) => `${what}: ${problem}`));
  return [{ model, path, metrics, tags, alias: alias as string | null, description: String(description) }];
}

function numbersAt(from: Json, key: string, one: string, problems: string[], anyNumber: boolean) {
  const object = objectAt(from, key, problems);
  for (const [name, value] of Object.entries(object ?? {})) {
    if (typeof value !== 'number') problems.push(`${one} '${name}' must be a number, got ${shown(value)}`);
    else if (!anyNumber && !Number.isFinite(value)) problems.push(`${one} '${name}' must be finite, got ${value}`);
  }
  return object as Readonly<Record<string, number>> | undefined;
}

function textsAt(from: Json, key: string, one: string, problems: string[]) {
  const object = objectAt(from, key, problems);
  for (const [name, value] of Object.entries(object ?? {})) {
    if (typeof value !== 'string') problems.push(`${one} '${name}' must be a text, got ${shown(value)}`);
  }
  return object as Readonly<Record<string, string>> | undefined;
}

function objectAt(from: Json, key: string, problems: string[]): Json | undefined {
  const value = from[key];
  if (value === undefined || value === null) return undefined;
  if (isObject(value)) return value;
  problems.push(`${key} must be an object`);
  return undefined;
}

function onlyKeys(value: Json, allowed: readonly string[], what: string, problems: string[]): void {
  const unknown = Object.keys(value).filter((key) => !allowed.includes(key));
  if (unknown.length > 0) problems.push(`${what} has '${unknown.join("', '")}', and may have ${allowed.join(', ')}`);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}
