import type { PythonRequest, StepProgram } from '../../runtime/ports/flow-code.ts';
import { invalidArgument } from '../../runtime/ports/errors.ts';
import type { ArtifactKind } from './artifact-kinds.ts';
import { pathInside } from './path-inside.ts';
import type { Command, PythonNeeds, PythonProgram } from './program-types.ts';
import type { StepFunction } from './run-step.ts';

/** What a step answers that is a program: to be run, not to be stored. */
export class ProgramToRun {
  readonly program: StepProgram;

  constructor(program: StepProgram) {
    this.program = program;
  }
}

type AnyCommand = Command<never, never, Readonly<Record<string, ArtifactKind>>>;
type AnyPython = PythonProgram<never, never, Readonly<Record<string, ArtifactKind>>>;

/** A step as a function that answers its program, and the files that this needs. */
export interface ProgramStep {
  readonly run: StepFunction;
  readonly files: readonly string[];
}

export function commandStep(step: string, command: AnyCommand): ProgramStep {
  if (!Array.isArray(command.run) && typeof command.run !== 'function')
    throw invalidArgument(
      `command '${step}' needs run: a list of program and arguments, or a function that answers one`,
    );
  const base = programOf(step, command);
  const python = command.python === undefined ? undefined : requestOf(command.python);
  const run = async (artifacts: never, context: never): Promise<ProgramToRun> => {
    const answer: unknown = typeof command.run === 'function' ? await command.run(artifacts, context) : command.run;
    // a project answers the whole program
    if (answer instanceof ProgramToRun) return answer;
    const words = wordsOf(step, answer);
    if (words.length === 0) throw invalidArgument(`command '${step}' has nothing to run: its list is empty`);
    return new ProgramToRun({ ...base, run: words, python });
  };
  return { run, files: filesOf(step, [...(command.files ?? []), ...fileOf(command.python?.requirements)]) };
}

export function pythonStep(step: string, python: AnyPython): ProgramStep {
  const { script, code } = python;
  if ((script === undefined) === (code === undefined))
    throw invalidArgument(`python '${step}' needs script or code, one of the two`);
  const base = programOf(step, python);
  const file = script ?? `${step.replaceAll('.', '-')}.py`;
  const run = async (artifacts: never, context: never): Promise<ProgramToRun> => {
    const answer =
      typeof python.arguments === 'function' ? await python.arguments(artifacts, context) : python.arguments;
    const words = wordsOf(step, answer ?? []);
    return new ProgramToRun({
      ...base,
      run: ['python', pathFrom(base.folder, file), ...words],
      writes: code === undefined ? {} : { [file]: code },
      python: requestOf(python),
    });
  };
  const needed = [...(python.files ?? []), ...(script === undefined ? [] : [script])];
  return { run, files: filesOf(step, [...needed, ...fileOf(python.requirements)]) };
}

function requestOf({ version, requirements = [] }: PythonNeeds): PythonRequest {
  return { version, requirements };
}

function fileOf(requirements: PythonNeeds['requirements']): readonly string[] {
  return typeof requirements === 'string' ? [requirements] : [];
}

function programOf(step: string, { takes, leaves = {}, folder = '' }: AnyCommand | AnyPython) {
  const codecs: Record<string, string> = {};
  for (const [name, kind] of Object.entries(leaves)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
      throw invalidArgument(`step '${step}' leaves '${name.slice(0, 130)}': name artifacts by letters, digits and '_'`);
    if (typeof kind?.codec !== 'string')
      throw invalidArgument(
        `step '${step}' leaves '${name}' of no kind: say artifact.json(), artifact.onnx or another one`,
      );
    codecs[name] = kind.codec;
  }
  return {
    takes,
    leaves: codecs,
    folder: folder === '' ? '' : pathInside(`step '${step}'`, folder),
    ...{ writes: {}, downloads: {}, needs: {} },
  };
}

function wordsOf(step: string, said: unknown): readonly string[] {
  if (!Array.isArray(said)) throw invalidArgument(`step '${step}' must answer a list of arguments, got ${typeof said}`);
  return (said as readonly unknown[]).map((word, index) => {
    if (typeof word === 'string' || typeof word === 'boolean') return String(word);
    if (typeof word === 'number' && Number.isFinite(word)) return String(word);
    throw invalidArgument(
      `step '${step}': argument ${index} must be a text, a finite number or a boolean, got ${String(word)}`,
    );
  });
}

function filesOf(step: string, files: readonly string[]): readonly string[] {
  return [...new Set(files.map((file) => pathInside(`step '${step}'`, file)))];
}

function pathFrom(folder: string, file: string): string {
  if (folder === '' || folder === '.') return file;
  return `${'../'.repeat(folder.split('/').length)}${file}`;
}
