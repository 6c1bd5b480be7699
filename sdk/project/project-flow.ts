import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PythonRequest, StepProgram } from '../../runtime/ports/flow-code.ts';
import { invalidArgument } from '../../runtime/ports/errors.ts';
import { isPythonFloat } from '../../schemas/codec/python-float.ts';
import { nameProblem } from '../../schemas/flow-graph-problems.ts';
import { flow } from '../flow/flow.ts';
import { ProgramToRun } from '../flow/program.ts';
import type { ProgramContext } from '../flow/program-types.ts';
import { commandLine, quote } from './command-line.ts';

/** A parameter of an entry point. */
export interface ProjectParameter {
  /** As the command and the user name it. */
  readonly name: string;
  /** As the flow names it: letters, digits and `_`. */
  readonly flowName: string;
  readonly type: string;
  /** As Python would print it; undefined: it must be given. */
  readonly default: string | undefined;
  /** It is not declared: it is put behind the command as a flag. */
  readonly extra: boolean;
}

/** An entry point of an MLproject folder. */
export interface ProjectEntry {
  readonly flow: string;
  readonly step: string;
  /** The command, with parameters in braces. */
  readonly command: string;
  readonly parameters: readonly ProjectParameter[];
  readonly python: PythonRequest | undefined;
}

/** An entry point as a flow of one step, which runs the command in the project's folder as MLflow would. */
export function projectFlow(entry: ProjectEntry): object {
  let head = flow(entry.flow);
  for (const { flowName, default: value, extra } of entry.parameters) {
    const options = { type: 'string' as const, required: value === undefined && !extra };
    head = head.parameter(flowName, value === undefined ? options : { ...options, default: value });
  }
  const step = nameProblem('step', entry.step) === undefined ? entry.step : `${entry.step}-entry`;
  return head.command(step, {
    // the program itself is answered: it needs more than arguments
    run: ((_: unknown, context: ProgramContext<Values>) => programOf(entry, context)) as never,
    files: ['.'],
  });
}

type Values = Readonly<Record<string, string | null>>;
type Prepared = Pick<StepProgram, 'downloads' | 'needs'> & {
  readonly downloads: Record<string, string>;
  readonly needs: Record<string, string>;
};

function programOf(entry: ProjectEntry, { parameters, folder }: ProgramContext<Values>): ProgramToRun {
  const prepared: Prepared = { downloads: {}, needs: {} };
  const declared: Record<string, string> = {};
  const extra: Record<string, string> = {};
  for (const [position, parameter] of entry.parameters.entries()) {
    const value = parameters[parameter.flowName] ?? parameter.default;
    if (value === undefined) continue;
    if (parameter.extra) extra[parameter.name] = quote(value);
    else declared[parameter.name] = quote(computed(parameter, value, position, folder, prepared));
  }
  const run = ['bash', '-c', commandLine(entry.command, declared, extra)];
  return new ProgramToRun({ run, folder: '', takes: [], leaves: {}, writes: {}, python: entry.python, ...prepared });
}

/** The value that is substituted: of a `path` a local file, of a `uri` an absolute one, of anything else what was given. */
function computed(
  { name, type }: ProjectParameter,
  value: string,
  position: number,
  folder: string,
  { downloads, needs }: Prepared,
): string {
  const [, scheme = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(value) ?? [];
  switch (type) {
    case 'path': {
      if (scheme === 'http' || scheme === 'https') {
        const path = join(folder, '.millrace', `param_${position}`, basename(new URL(value).pathname) || 'download');
        downloads[path] = value;
        return path;
      }
      if (scheme !== '' && scheme !== 'file')
        throw invalidArgument(
          `parameter '${name}' is a path, and '${value}' cannot be fetched: use http, https or a local file`,
        );
      const path = scheme === 'file' ? fileURLToPath(value) : resolve(folder, value);
      needs[path] = `Got value ${value} for parameter ${name}, but no such file or directory was found.`;
      return path;
    }
    case 'uri':
      if (scheme !== '') return value;
      needs[resolve(folder, value)] = `Expected URI for parameter ${name} but got ${value}`;
      return resolve(folder, value);
    case 'float':
      if (!isPythonFloat(value)) throw invalidArgument(`parameter '${name}' is a float, got '${value}'`);
      return value;
    default:
      return value;
  }
}
