/**
 * FlowCode: what the default export of a flow's bundle offers to whoever runs its steps. It is matched by shape, so a bundle may carry
 * its own copy of the SDK.
 *
 * Contract
 * - `runStep` runs the user code of one step once and resolves with its artifacts and what it asked to register. It rejects with
 *   whatever the user code threw, or with a plain error that names the step and the fix; one whose `retry` is false would come again
 *   with every attempt.
 * - For a step that is a program of its own (a command, Python) it resolves with that program instead, and whoever called runs it.
 * - Loading a bundle runs no step.
 */
export interface FlowCode {
  readonly millraceFlow: 1;
  readonly name: string;
  /** The graph as JSON data. */
  readonly graph: unknown;
  /** Its triggers as JSON data. */
  readonly triggers: readonly unknown[];
  /** How it runs once it is deployed, as JSON data; absent: by the defaults. */
  readonly policy?: unknown;
  /** Files and folders that programs of its steps need, relative to the flow's file; they travel in the bundle. */
  readonly files?: readonly string[];
  runStep(call: StepCall): Promise<StepResult>;
}

export interface StepCall {
  /** Step, or `-success`, `-error` for an exit hook. */
  readonly step: string;
  /** Artifacts so far by name; for a join, those from before its branches. Values may be decoded on first use. */
  readonly artifacts: Readonly<Record<string, unknown>>;
  /** For a join: what each branch, item or rank added, in order. */
  readonly inputs: readonly StepInput[];
  /** For a join: content of the artifacts from before. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** Foreachs, repeats and gangs around it, outermost first. */
  readonly stack: readonly StackFrame[];
  readonly gang: { readonly rank: number; readonly size: number; readonly address: string } | undefined;
  /** For an exit hook: how the run ended. */
  readonly end: Readonly<Record<string, unknown>> | undefined;
  /** Aborts when the step is to stop. */
  readonly signal: AbortSignal;
  /** Hears the document of a card, JSON, each time that it has changed. */
  readonly card?: (name: string, document: string) => void;
  /** What the step saves to go on from; absent: nobody keeps that. */
  readonly checkpoints?: StepCheckpoints;
  /** Where the flow's files will lie for a step that is a program; absolute, and not there yet. */
  readonly folder: string;
}

/** What the next attempt of a step begins with. */
export interface StepCheckpoints {
  /** Those of earlier attempts. */
  readonly names: readonly string[];
  /** What an earlier attempt saved last; undefined: nothing. */
  load(name: string): unknown;
  /** A file with its bytes, not to be changed. */
  file(name: string): string | undefined;
  /** Resolves once the next attempt will find it. */
  save(name: string, value: unknown): Promise<void>;
  saveFile(name: string, path: string): Promise<void>;
}

export interface StepInput {
  /** Branch name, or the place of the item or rank. */
  readonly branch: string;
  readonly artifacts: Readonly<Record<string, unknown>>;
  /** Content of each artifact: sha256, hex. */
  readonly hashes: Readonly<Record<string, string>>;
}

export interface StackFrame {
  readonly point: string;
  readonly kind: 'foreach' | 'repeat' | 'gang';
  readonly index: number;
  /** -1: not known. */
  readonly size: number;
  /** Of a foreach; may be decoded on first use. */
  readonly item: unknown;
}

export interface StepResult {
  readonly artifacts: Readonly<Record<string, unknown>>;
  /** Artifacts to pass down by reference: name to the input that has it, -1 for what was there before. */
  readonly passed: Readonly<Record<string, number>>;
  readonly models: readonly ModelRegistration[];
  /** Of the run: to be removed, then added, once the attempt is accepted. @default none */
  readonly tags?: { readonly add: readonly string[]; readonly remove: readonly string[] } | undefined;
  /** Of a foreach. */
  readonly items?: Iterable<unknown> | AsyncIterable<unknown>;
  /** Of a switch: key of a case. */
  readonly choice?: string;
  /** Of the last step of a round: another one is wanted. */
  readonly again?: boolean;
  /** To be run for its artifacts and models; then the two above are empty. */
  readonly program?: StepProgram;
}

/** A program that is a step. Its working folder holds the bundle's files; see `docs/any-language.md` for what it gets and leaves. */
export interface StepProgram {
  /** Program and arguments, given as they are: no shell is between. */
  readonly run: readonly string[];
  /** Folder among the bundle's files in which it starts; '' is the root. */
  readonly folder: string;
  /** Artifacts that it gets as files; undefined: all. */
  readonly takes: readonly string[] | undefined;
  /** Artifacts that it must leave, by name, with their codec. */
  readonly leaves: Readonly<Record<string, string>>;
  /** Text files that are written into the working folder first. */
  readonly writes: Readonly<Record<string, string>>;
  /** What is fetched by HTTP first: absolute path of the file, and address. */
  readonly downloads: Readonly<Record<string, string>>;
  /** Absolute paths that must exist by then, and what to say if one does not. */
  readonly needs: Readonly<Record<string, string>>;
  /** The environment in which it runs; undefined: that of the worker. */
  readonly python: PythonRequest | undefined;
}

/** A Python environment as it was asked for. */
export interface PythonRequest {
  /** Such as 3.11; undefined: whatever the requirements or the worker have. */
  readonly version: string | undefined;
  /** Lines as pip reads them, or the path of a file in the bundle: requirements, conda.yaml, python_env.yaml or an MLproject. */
  readonly requirements: readonly string[] | string;
}

/** A model version to register once the attempt is accepted. */
export interface ModelRegistration {
  readonly model: string;
  readonly onnx: Uint8Array;
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: Readonly<Record<string, string>>;
  /** JSON values that belong to the version, by name. */
  readonly attached?: Readonly<Record<string, object>>;
  readonly alias: string | null;
  readonly description: string;
}

export function isFlowCode(value: unknown): value is FlowCode {
  const code = value as Partial<FlowCode> | null | undefined;
  return typeof code === 'object' && code !== null && code.millraceFlow === 1 && typeof code.runStep === 'function';
}
