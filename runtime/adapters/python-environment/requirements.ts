import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { parse } from 'yaml';
import { invalidArgument, messageOf, MillraceError } from '../../ports/errors.ts';
import type { PythonRequest } from '../../ports/flow-code.ts';
import { fromConda } from './conda-file.ts';

/** What an environment is to hold, whatever file said so. */
export interface PythonSpec {
  /** Such as 3.11 or 3.11.7; undefined: any. */
  readonly version: string | undefined;
  /** Lines as pip reads them, included files read in. */
  readonly requirements: readonly string[];
  readonly constraints: readonly string[];
  /** Text of a conda file, for the programs that understand all of it. */
  readonly conda: string | undefined;
  /** What of the conda file pip cannot install; needs conda. */
  readonly condaOnly: readonly string[];
}

/** Reads what was asked for; INVALID_ARGUMENT or UNSUPPORTED name the file, the line and what to do. */
export function readSpec({ version, requirements }: PythonRequest, files: string): PythonSpec {
  if (typeof requirements !== 'string') return { ...nothing, version, ...listed(requirements, files, 'the list') };
  const path = inside(files, requirements, 'the flow');
  const read = readFile(path);
  return { ...read, version: version ?? read.version };

  function readFile(at: string): PythonSpec {
    const name = relative(files, at);
    if (!existsSync(at)) throw invalidArgument(`there is no file '${name}' among the files of the flow`);
    const text = readFileSync(at, 'utf8');
    if (basename(at).toLowerCase() === 'mlproject') return fromProject(yamlOf(name, text), at);
    if (!/\.ya?ml$/i.test(at)) return { ...nothing, ...listed(text.split('\n'), dirname(at), name) };
    const value = yamlOf(name, text);
    const conda = Array.isArray(value['channels']) || /conda/i.test(basename(at));
    return conda ? condaSpec(name, value, text, dirname(at)) : pythonEnv(name, value, dirname(at));
  }

  function fromProject(project: Record<string, unknown>, at: string): PythonSpec {
    for (const key of ['python_env', 'conda_env']) {
      const file = project[key];
      if (typeof file === 'string')
        return readFile(inside(files, join(relative(files, dirname(at)), file), 'MLproject'));
    }
    for (const usual of ['python_env.yaml', 'conda.yaml']) {
      if (existsSync(join(dirname(at), usual))) return readFile(join(dirname(at), usual));
    }
    return nothing;
  }

  /** MLflow's python_env.yaml: python, build_dependencies, dependencies. */
  function pythonEnv(name: string, value: Record<string, unknown>, folder: string): PythonSpec {
    const list = (key: string): readonly string[] => {
      const lines: unknown = value[key] ?? [];
      if (!Array.isArray(lines) || lines.some((line) => typeof line !== 'string'))
        throw invalidArgument(`${name}: ${key} must be a list of requirements`);
      return lines as string[];
    };
    const asked = value['python'];
    if (asked !== undefined && typeof asked !== 'string')
      throw invalidArgument(`${name}: python must be a text, such as "3.11" in quotes, got ${String(asked)}`);
    const lines = [...list('build_dependencies'), ...list('dependencies')];
    return { ...nothing, version: asked, ...listed(lines, folder, name) };
  }

  function condaSpec(name: string, value: Record<string, unknown>, text: string, folder: string): PythonSpec {
    const { version: asked, lines, condaOnly } = fromConda(name, value);
    return { version: asked, ...listed(lines, folder, name), conda: text, condaOnly };
  }

  function listed(lines: readonly string[], folder: string, name: string) {
    const found: { requirements: string[]; constraints: string[] } = { requirements: [], constraints: [] };
    readLines(lines, folder, name, found, 0);
    return found;
  }

  function readLines(
    lines: readonly string[],
    folder: string,
    name: string,
    found: { requirements: string[]; constraints: string[] },
    depth: number,
  ): void {
    if (depth > 10) throw invalidArgument(`${name}: requirement files include each other without end`);
    for (const line of joined(lines)) {
      const included = /^(?:-r|--requirement|-c|--constraint)(?:\s+|=)?(.+)$/.exec(line);
      if (included !== null) {
        const path = inside(files, relative(files, join(folder, (included[1] ?? '').trim())), name);
        if (!existsSync(path))
          throw invalidArgument(`${name} includes '${included[1]}', which is not among the files of the flow`);
        const inner = { requirements: found.requirements, constraints: found.constraints };
        if (/^(-c|--constraint)/.test(line)) inner.requirements = found.constraints;
        readLines(readFileSync(path, 'utf8').split('\n'), dirname(path), relative(files, path), inner, depth + 1);
      } else if (/^(-e|--editable)\b|^\.{0,2}\/|^\.$|^file:/.test(line)) {
        throw new MillraceError(
          'UNSUPPORTED',
          `${name} asks for '${line}', a package in a folder: name the folder under files, and put it on sys.path, or publish it`,
        );
      } else found.requirements.push(line);
    }
  }
}

const nothing: PythonSpec = { version: undefined, requirements: [], constraints: [], conda: undefined, condaOnly: [] };

/** Lines without comments, those that end in a backslash put together. */
function joined(lines: readonly string[]): readonly string[] {
  return lines
    .join('\n')
    .replace(/\\\r?\n/g, ' ')
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

function yamlOf(name: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parse(text, { schema: 'core' });
  } catch (error) {
    throw invalidArgument(`${name} is no YAML: ${messageOf(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgument(`${name} must hold an object, got ${Array.isArray(value) ? 'a list' : typeof value}`);
  return value as Record<string, unknown>;
}

function inside(files: string, path: string, who: string): string {
  const place = resolve(files, path);
  if (place !== resolve(files) && !place.startsWith(resolve(files) + sep))
    throw invalidArgument(`${who} names '${path}', which is not among the files of the flow`);
  return place;
}
