import type { StepTracking } from '../tracking/step-tracking.ts';
import type { Resources, RetryPolicy, SecretSource } from '../../schemas/flow-graph.ts';
import type { FileForm, ScalarType } from '../../schemas/flow-parameters.ts';
import type { Cards } from './cards.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Duration } from './triggers.ts';

/** What a step may return: an object whose properties become artifacts, or nothing. */
// biome-ignore lint: void is what a function without return gives
export type StepReturn = object | undefined | void;

/** The artifacts that a step adds. */
export type ArtifactsOf<R> = Awaited<R> extends object ? { readonly [K in keyof Awaited<R>]: Awaited<R>[K] } : Nothing;

/** No artifacts, no parameters. */
export type Nothing = {};

/** What remains of `A` after a step that adds `B`: a name that is written again takes the new type. */
export type Merge<A, B> = A extends unknown ? (B extends unknown ? Over<A, B> : never) : never;

type Over<A, B> = {
  readonly [K in keyof A | keyof B]: K extends keyof B ? B[K] : K extends keyof A ? A[K] : never;
};

/** What a step with these options adds: one that catches its failure may add nothing but that. */
export type Returned<R, O> = O extends { readonly catch: infer N extends string }
  ? Merge<Partial<ArtifactsOf<R>>, { readonly [K in N]: StepFailure | null }>
  : ArtifactsOf<R>;

/** The failure of a step's last attempt, as the artifact that its `catch` names. */
export interface StepFailure {
  readonly step: string;
  /** user, platform, timeout, killed or lost. */
  readonly kind: string;
  readonly message: string;
  readonly stack: string;
  readonly attempt: number;
}

/** What a foreach runs over. */
export type Collection<I> = Iterable<I> | AsyncIterable<I>;

/** What a switch may choose by; cases are named by its text. */
export type SwitchKey = string | number | boolean;

/** What a computed default may use. */
export interface DefaultContext {
  readonly flow: string;
  /** Name of the parameter. */
  readonly parameter: string;
  readonly configuration: Readonly<Record<string, unknown>>;
}

interface ParameterBase<V> {
  /** A value, or a function that answers one: it is called once, when the flow is run or deployed. @default none: null unless it is given */
  readonly default?: V | ((given: DefaultContext) => V);
  /** Refuse a run without a value. @default false */
  readonly required?: boolean;
  /** Shown by `millrace run <file> --help`. */
  readonly help?: string;
}

export interface ScalarOptions<T extends ScalarType = ScalarType> extends ParameterBase<Scalars[T]> {
  readonly type: T;
}

export interface JsonOptions extends ParameterBase<unknown> {
  readonly type: 'json';
}

/** Comes as JSON or as a text with separators. */
export interface ListOptions extends ParameterBase<readonly (string | number | boolean)[]> {
  readonly type: 'list';
  /** @default 'string' */
  readonly of?: ScalarType;
  /** @default ',' */
  readonly separator?: string;
}

export interface EnumOptions extends ParameterBase<string | number | boolean> {
  readonly type: 'enum';
  readonly values: readonly (string | number | boolean)[];
}

/** A file whose content steps see. It is stored once, by content; a default is a path beside the flow's file, and travels with the flow. */
export interface FileOptions extends ParameterBase<string> {
  readonly type: 'file';
  /** @default 'text' */
  readonly as?: FileForm;
}

export type ParameterOptions =
  | { [T in ScalarType]: ScalarOptions<T> }[ScalarType]
  | JsonOptions
  | ListOptions
  | EnumOptions
  | FileOptions;

interface Scalars {
  readonly string: string;
  readonly number: number;
  readonly integer: number;
  readonly boolean: boolean;
}

/** Null is possible only without a default and without `required`. */
export type ParameterOf<O> = O extends { readonly default: unknown } | { readonly required: true }
  ? ParameterValue<O>
  : ParameterValue<O> | null;

type ParameterValue<O> = O extends { readonly type: infer T extends ScalarType }
  ? Scalars[T]
  : O extends { readonly type: 'list' }
    ? readonly Scalars[O extends { readonly of: infer E extends ScalarType } ? E : 'string'][]
    : O extends { readonly type: 'enum'; readonly values: readonly (infer V)[] }
      ? V
      : O extends { readonly type: 'file' }
        ? FileContents[O extends { readonly as: infer F extends FileForm } ? F : 'text']
        : unknown;

interface FileContents {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly json: unknown;
}

export interface ConfigurationOptions<T> {
  /** JSON or YAML by its ending, from the folder of the command; what is there when the flow is run or deployed counts. */
  readonly file?: string;
  /** When there is no file, or the file is absent. */
  readonly default?: T;
  /** Reads the text of the file. @default JSON or YAML */
  readonly parse?: (text: string) => T;
}

export interface StepOptions {
  /** Attempts after a failed one: a number, or with waits between them. @default 0: a step never runs twice silently */
  readonly retry?: number | (Pick<RetryPolicy, 'times'> & Partial<RetryPolicy>);
  /** The step is killed after so long, with all that it started, milliseconds. @default 86400000 */
  readonly timeoutMs?: number;
  /** Artifact that takes the failure of the last attempt (null when there is none): the run then goes on. @default the run fails */
  readonly catch?: string;
  /** What it asks of the machine. The memory is a limit, the others are for schedulers. @default the worker's */
  readonly resources?: Resources;
  /** Compute class of the workers that may take it. @default process */
  readonly compute?: string;
  /** Container image, where the compute class runs containers. */
  readonly image?: string;
  /** Environment variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Environment variable to where its value comes from. Values are neither stored nor logged. */
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  /**
   * Reuse what an earlier task of the same code, inputs and parameters ended with, in whatever run. For a step that reads nothing else, or
   * that says to which `window` of time what it reads belongs. @default false
   */
  readonly memoise?: boolean | MemoiseOptions;
  /** Keep the checkpoints of tasks that have ended well, for as long as their run. @default false */
  readonly keepCheckpoints?: boolean;
}

export interface MemoiseOptions {
  /** An older outcome is not reused, and is forgotten. @default 30 days */
  readonly for?: Duration;
  /**
   * Outside data that the step reads belong to windows of this length, as `'1d'`, counted from 1970 in UTC: only outcomes of the same
   * window are reused. The window is that of the schedule's slot, else of the time at which the run was requested.
   */
  readonly window?: Duration;
  /** Part of what must be the same: change it when something changes that the platform does not see. */
  readonly key?: string;
}

export interface RepeatOptions<A> extends StepOptions {
  /** No further round once this is true. */
  readonly until?: (artifacts: Readonly<A>) => boolean | Promise<boolean>;
  /** No further round once this is false. */
  readonly while?: (artifacts: Readonly<A>) => boolean | Promise<boolean>;
  /** Rounds at most; then the run goes on with what is there. */
  readonly most: number;
}

export interface GangOptions<P> extends Omit<StepOptions, 'catch' | 'memoise'> {
  /** How many tasks: a number, or the name of an integer parameter. */
  readonly size: number | (keyof P & string);
}

export interface FlowOptions {
  /** How long a started step may be silent before it counts as lost, milliseconds. @default 30000 */
  readonly leaseMs?: number;
  /** How long a step may wait for a worker before it is offered to another one, milliseconds. @default 60000 */
  readonly startMs?: number;
  /** The flow is deployed per branch of this project, as `<project>.<branch>.<flow>`. @default none: it is deployed by its own name */
  readonly project?: string;
  /** Open runs of the deployed flow at most, and what becomes of a start beyond: it waits, is skipped or refused. @default no limit */
  readonly concurrency?: number | { readonly max: number; readonly overflow?: 'queue' | 'skip' | 'refuse' };
  /** Tags of every run of the deployed flow. @default none */
  readonly tags?: readonly string[];
  /** Tasks of a run that may be under way at once. @default 32 */
  readonly maxWorkers?: number;
  /** Items that a foreach may have. @default 10000 */
  readonly maxSplits?: number;
  /** How long a run that is over can be resumed, milliseconds. @default 14 days */
  readonly resumableMs?: number;
  /** For every step that does not say otherwise. @default none */
  readonly steps?: Omit<StepOptions, 'catch'>;
}

/** Second argument of every step. */
export interface StepContext<P = Readonly<Record<string, unknown>>, C = Readonly<Record<string, unknown>>> {
  readonly parameters: P;
  readonly configuration: C;
  /** 32 hex characters. */
  readonly runId: string;
  readonly taskId: string;
  /** From 1. */
  readonly attempt: number;
  /** The same for all attempts: give it to outside systems, so that a repeated step has one effect there. */
  readonly idempotencyKey: string;
  /** Place of its item, round or rank in the innermost foreach, repeat or gang, from 0; -1 outside of any. */
  readonly index: number;
  /** All foreachs, repeats and gangs around it, outermost first. */
  readonly stack: readonly StackFrame[];
  /** Aborts when the step is to stop. */
  readonly signal: AbortSignal;
  readonly models: Models;
  /** User tags of the run. */
  readonly tags: Tags;
  /** What to go on from if this attempt fails. */
  readonly checkpoint: Checkpoints;
  /** Pages about the step, to be looked at while it runs and afterwards. */
  readonly cards: Cards;
  /** Metrics, parameters, tags and files of the run, at once. */
  readonly tracking: StepTracking;
  /** A line in the log of the step. */
  readonly log: (message: string, facts?: Readonly<Record<string, unknown>>) => void;
}

export interface StackFrame {
  /** Name of the foreach, repeat or gang. */
  readonly point: string;
  readonly kind: 'foreach' | 'repeat' | 'gang';
  readonly index: number;
  /** How many; undefined for a repeat. */
  readonly size: number | undefined;
  /** Of a foreach. */
  readonly item: unknown;
}

/** Second argument of a gang's step. */
export interface GangContext<P, C> extends StepContext<P, C> {
  readonly gang: {
    /** From 0. */
    readonly rank: number;
    readonly size: number;
    /** `host:port`, free on the machine of rank 0, for it to listen on. */
    readonly address: string;
  };
}

/** Second argument of a join. */
export interface JoinContext<P, Before, C, All> extends StepContext<P, C> {
  /** The artifacts from before the branches. */
  readonly before: Readonly<Before>;
  /**
   * What to return to pass artifacts down without reading them: those of `own`, and of all others that were visible at the end of the
   * inputs each that has the same content wherever it occurs. One with two contents is a conflict: all conflicts are one error, and
   * nothing is passed down; to resolve one, put it into `own` or exclude it. `include`: only these, each of which must exist.
   */
  readonly merge: <O extends object = Nothing, I extends keyof All = keyof All, E extends keyof All = never>(
    own?: O,
    options?: { readonly include?: readonly I[]; readonly exclude?: readonly E[] },
  ) => Merge<Omit<Pick<All, I>, E>, O>;
}

/** What an exit hook is told about the run. */
export interface RunEnd {
  readonly runId: string;
  readonly flow: string;
  readonly status: 'completed' | 'failed';
  /** Of the first failure. */
  readonly step: string | undefined;
  readonly kind: string | undefined;
  readonly message: string | undefined;
}

export type Hook<P, C> = (end: RunEnd, context: StepContext<P, C>) => unknown;

export interface Tags {
  /** Asks for further tags of the run; they are there once the attempt is accepted. */
  add(...tags: readonly string[]): void;
  /** Asks for user tags to be taken away, before others are added. */
  remove(...tags: readonly string[]): void;
}

export interface Models {
  /** Asks for a new version of a model; it is registered when the attempt is accepted, and not at all when it fails. */
  register(model: string, version: NewModelVersion): void;
}

export interface NewModelVersion {
  /** Bytes of the ONNX file. */
  readonly onnx: Uint8Array;
  /** @default none */
  readonly metrics?: Readonly<Record<string, number>>;
  /** @default none */
  readonly tags?: Readonly<Record<string, string>>;
  /**
   * What belongs to the model and is deployed with it, by name: a sample of the training data, a detector that was fitted to it. Kept as
   * JSON; a deployment names it by `models:/<model>@<alias>#<name>`. @default none
   */
  readonly attached?: Readonly<Record<string, object>>;
  /** An alias that moves to this version. @default none */
  readonly alias?: string;
  /** @default '' */
  readonly description?: string;
}
