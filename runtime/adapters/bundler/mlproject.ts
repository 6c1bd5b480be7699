/** MLproject files, read as MLflow reads them (mlflow/projects/_project_spec.py). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { isMap, isScalar, parseDocument, type Scalar } from 'yaml';
import { invalidArgument, MillraceError } from '../../ports/errors.ts';
import type { PythonRequest } from '../../ports/flow-code.ts';

export interface EntryPoint {
  readonly command: string;
  readonly parameters: readonly EntryParameter[];
}

export interface EntryParameter {
  readonly name: string;
  readonly type: string;
  /** As Python would print it; undefined: it must be given. */
  readonly default: string | undefined;
}

export interface MlProject {
  /** undefined when the project has no name. */
  readonly name: string | undefined;
  readonly entryPoints: Readonly<Record<string, EntryPoint>>;
  /** undefined: it names none, and runs in the worker's environment. */
  readonly python: PythonRequest | undefined;
}

/** The name of a folder's MLproject file, in any case; undefined when it has none. */
export function mlprojectFile(folder: string): string | undefined {
  return readdirSync(folder).find((name) => name.toLowerCase() === 'mlproject');
}

/** Reads a project folder; also one without an MLproject file, whose scripts are entry points. */
export function readMlProject(folder: string): MlProject {
  const file = mlprojectFile(folder);
  const request = (requirements: string | undefined): PythonRequest | undefined =>
    requirements === undefined ? undefined : { version: undefined, requirements };
  const usual = ['python_env.yaml', 'conda.yaml'].find((name) => existsSync(join(folder, name)));
  if (file === undefined) return { name: undefined, entryPoints: {}, python: request(usual) };
  const document = parseDocument(readFileSync(join(folder, file), 'utf8'), { schema: 'core' });
  if (document.errors.length > 0) throw invalidArgument(`${file} is no YAML: ${document.errors[0]?.message ?? ''}`);
  const root = document.contents;
  if (!isMap(root)) throw invalidArgument(`${file} must hold an object with name and entry_points`);
  const environments = ['python_env', 'conda_env', 'docker_env'].filter((key) => root.has(key));
  if (environments.length > 1)
    throw invalidArgument(`${file} has ${environments.join(' and ')}: a project may have one of them`);
  if (environments[0] === 'docker_env')
    throw new MillraceError(
      'UNSUPPORTED',
      `${file} asks for docker_env, which is not run here: say python_env or conda_env instead`,
    );
  if (root.has('databricks_spark_job'))
    throw new MillraceError('UNSUPPORTED', `${file} asks for databricks_spark_job, which is not run here`);
  const environment = environments[0] === undefined ? undefined : root.get(environments[0]);
  if (environment !== undefined && (typeof environment !== 'string' || !existsSync(join(folder, environment))))
    throw invalidArgument(
      `${file}: ${environments[0]} names '${String(environment)}', but there is no such file in ${folder}`,
    );
  const name = root.get('name');
  return {
    name: typeof name === 'string' ? name : undefined,
    entryPoints: entryPointsOf(file, root.get('entry_points', true)),
    python: request(environment ?? usual),
  };
}

/** An entry point by name, or a script of the folder. */
export function findEntryPoint({ entryPoints }: MlProject, name: string): EntryPoint {
  const known = Object.hasOwn(entryPoints, name) ? entryPoints[name] : undefined;
  if (known !== undefined) return known;
  const interpreter = { '.py': 'python', '.sh': 'bash' }[extname(name)];
  if (interpreter !== undefined) return { command: `${interpreter} ${shellWord(name)}`, parameters: [] };
  throw invalidArgument(
    `there is no entry point '${name}': the project has ${Object.keys(entryPoints).join(', ') || 'none'}, and scripts may end in .py or .sh`,
  );
}

/** As a shell reads it back, with braces doubled for the formatting of commands. */
function shellWord(name: string): string {
  const quoted = /^[A-Za-z0-9_@%+=:,./-]+$/.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`;
  return quoted.replaceAll('{', '{{').replaceAll('}', '}}');
}

function entryPointsOf(file: string, value: unknown): Readonly<Record<string, EntryPoint>> {
  if (value === undefined) return {};
  if (!isMap(value)) throw invalidArgument(`${file}: entry_points must be an object`);
  const entryPoints: Record<string, EntryPoint> = {};
  for (const { key, value: point } of value.items) {
    const name = String(isScalar(key) ? key.value : key);
    const command = isMap(point) ? point.get('command') : undefined;
    if (!isMap(point) || typeof command !== 'string')
      throw invalidArgument(`${file}: entry point '${name}' must have a command`);
    entryPoints[name] = { command, parameters: parametersOf(file, name, point.get('parameters', true)) };
  }
  return entryPoints;
}

function parametersOf(file: string, entry: string, value: unknown): readonly EntryParameter[] {
  if (value === undefined || (isScalar(value) && value.value === null)) return [];
  if (!isMap(value)) throw invalidArgument(`${file}: parameters of '${entry}' must be an object`);
  return value.items.map(({ key, value: said }) => {
    const name = isScalar(key) ? textOf(key) : String(key);
    if (isScalar(said) && typeof said.value === 'string') return { name, type: said.value, default: undefined };
    if (!isMap(said))
      throw invalidArgument(`${file}: parameter '${name}' of '${entry}' must be a type or {type, default}`);
    const type = said.get('type') ?? 'string';
    const fallback = said.get('default', true);
    const none = fallback === undefined || !isScalar(fallback) || fallback.value === null;
    return { name, type: String(type), default: none ? undefined : textOf(fallback) };
  });
}

/** A value as Python prints what its YAML reader makes of it: `yes` is True, `1.0` stays 1.0, `1e-3` a text. */
function textOf({ source, type, value }: Scalar): string {
  const text = source ?? String(value);
  if (type !== 'PLAIN') return String(value);
  if (/^(yes|true|on)$/i.test(text)) return 'True';
  if (/^(no|false|off)$/i.test(text)) return 'False';
  if (/^[-+]?(0|[1-9][0-9_]*)$/.test(text)) return String(BigInt(text.replace('+', '').replaceAll('_', '')));
  if (/^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$/.test(text))
    return pythonFloat(Number(text.replaceAll('_', '')));
  return text;
}

/** `repr` of a float: shortest digits that give the number back, an exponent below 1e-4 and from 1e16 on. */
function pythonFloat(number: number): string {
  const size = Math.abs(number);
  if (Object.is(number, -0)) return '-0.0';
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = '', exponent = ''] = number.toExponential().split('e');
    const sign = exponent.startsWith('-') ? '-' : '+';
    return `${digits}e${sign}${exponent.replace(/^[+-]/, '').padStart(2, '0')}`;
  }
  const text = String(number);
  return text.includes('.') ? text : `${text}.0`;
}
