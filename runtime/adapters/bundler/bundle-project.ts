import { existsSync, statSync } from 'node:fs';
import { basename, relative, resolve, sep } from 'node:path';
import { isPythonFloat } from '../../../schemas/codec/python-float.ts';
import { MillraceError } from '../../ports/errors.ts';
import { bundleModule, type FlowBundle } from './bundle-flow.ts';
import { findEntryPoint, readMlProject } from './mlproject.ts';

export interface ProjectBundle extends FlowBundle {
  /** The given parameters as the flow names them. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface ProjectRun {
  /** @default main */
  readonly entry?: string | undefined;
  /** By the names of the project; those that it does not declare become flags of the command. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** What relative paths of parameters are relative to. @default the process's */
  readonly from?: string;
}

/** An entry point of an MLproject folder as a flow, with all files of the folder in it. */
export async function bundleProject(folder: string, run: ProjectRun = {}): Promise<ProjectBundle> {
  const root = resolve(folder);
  if (!existsSync(root) || !statSync(root).isDirectory())
    throw new MillraceError('NOT_FOUND', `there is no folder ${root}`);
  const { entry = 'main', parameters: given = {}, from = process.cwd() } = run;
  const project = readMlProject(root);
  const point = findEntryPoint(project, entry);
  const declared = new Set(point.parameters.map(({ name }) => name));
  const all = [
    ...point.parameters.map((parameter) => ({ ...parameter, extra: false })),
    ...Object.keys(given)
      .filter((name) => !declared.has(name))
      .map((name) => ({ name, type: 'string', default: undefined, extra: true })),
  ].map((parameter) => ({ ...parameter, flowName: flowName(parameter.name) }));
  const missing = all.filter(({ name, default: value }) => value === undefined && given[name] === undefined);
  if (missing.length > 0)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `No value given for missing parameters: ${missing.map(({ name }) => `'${name}'`).join(', ')} of entry point '${entry}': add ${missing.map(({ name }) => `-P ${name}=...`).join(' ')}`,
    );
  const wrong = all.find(({ name, type }) => type === 'float' && !isPythonFloat(given[name] ?? '0'));
  if (wrong !== undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `parameter '${wrong.name}' of entry point '${entry}' is a float, got '${given[wrong.name] ?? ''}'`,
    );
  const clash = all.find(({ flowName }, index) => all.findIndex((other) => other.flowName === flowName) !== index);
  if (clash !== undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `parameter '${clash.name}' differs from another one by punctuation only: rename it`,
    );
  const spec = {
    flow: stepName(project.name ?? basename(root)),
    step: stepName(entry),
    command: point.command,
    parameters: all,
    python: project.python,
  };
  const module = `import { projectFlow } from 'millrace/project';\nexport default projectFlow(${JSON.stringify(spec)});\n`;
  const bundle = await bundleModule(Buffer.from(module), root, folder);
  const values = all
    .filter(({ name }) => given[name] !== undefined)
    .map(({ name, type, flowName }) => [flowName, locally(type, given[name] ?? '', from, root)] as const);
  return { ...bundle, parameters: Object.fromEntries(values) };
}

/** A relative path of the caller: within the project it travels with it, elsewhere it is that very file of this machine. */
function locally(type: string, value: string, from: string, root: string): string {
  if (type !== 'path' && type !== 'uri') return value;
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(value)) return value;
  const place = resolve(from, value);
  if (!existsSync(place)) return value;
  return place.startsWith(root + sep) ? relative(root, place).split(sep).join('/') : place;
}

function flowName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return (/^[A-Za-z]/.test(plain) ? plain : `p${plain}`).slice(0, 64);
}

function stepName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]+/g, '-');
  const begun = /^[A-Za-z]/.test(plain) ? plain : `p-${plain}`;
  return begun.slice(0, 56);
}
