import type { Leavings } from './artifact-kinds.ts';
import type { StepContext } from './types.ts';

/** An argument of a program. */
export type Word = string | number | boolean;

/** Second argument of a function that answers arguments. */
export interface ProgramContext<P> extends StepContext<P> {
  /** Where the flow's files will lie once the program starts; absolute. */
  readonly folder: string;
}

/** Arguments, or how they follow from artifacts and context; called in the step, before the program starts. */
export type Words<P, A> =
  | readonly Word[]
  | ((artifacts: Readonly<A>, context: ProgramContext<P>) => readonly Word[] | Promise<readonly Word[]>);

export interface ProgramOptions<A, L extends Leavings> {
  /** Artifacts that it gets as files. @default all so far */
  readonly takes?: readonly (keyof A & string)[];
  /** Artifacts that it must leave; each becomes an artifact of the flow. @default none */
  readonly leaves?: L;
  /** Files and folders that it needs, relative to the flow's file; they travel with the flow. @default none */
  readonly files?: readonly string[];
  /** Folder, relative to the flow's file, in which it starts. @default that of the flow's file */
  readonly folder?: string;
}

/** A program in any language. */
export interface Command<P, A, L extends Leavings = {}> extends ProgramOptions<A, L> {
  /** The program and its arguments, given as they are. For a shell, say so: `['sh', '-c', '...']`. */
  readonly run: Words<P, A>;
  /** A Python environment to run in: its programs come first on the PATH. @default none */
  readonly python?: PythonNeeds;
}

export interface PythonNeeds {
  /**
   * Requirements as pip reads them, or the path of a file, relative to the flow's file: requirements, conda.yaml, python_env.yaml or an
   * MLproject. @default none: the worker's Python with nothing installed
   */
  readonly requirements?: readonly string[] | string;
  /** Python's version, such as `3.11`. @default what the requirements say, else the worker's */
  readonly version?: string;
}

/** A Python program, in an environment of its own. Give `script` or `code`. */
export interface PythonProgram<P, A, L extends Leavings = {}> extends ProgramOptions<A, L>, PythonNeeds {
  /** Path of the script, relative to the flow's file. */
  readonly script?: string;
  /** Its text. */
  readonly code?: string;
  /** What it finds in `sys.argv[1:]`. @default none */
  readonly arguments?: Words<P, A>;
}
