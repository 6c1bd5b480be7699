import type { ParameterType } from '../../schemas/flow-parameters.ts';

/** What a step may return: an object whose properties become artifacts, or nothing. */
// biome-ignore lint: void is what a function without return gives
export type StepReturn = object | undefined | void;

/** The artifacts that a step adds. */
export type ArtifactsOf<R> = Awaited<R> extends object ? { readonly [K in keyof Awaited<R>]: Awaited<R>[K] } : Nothing;

/** No artifacts, no parameters. */
export type Nothing = {};

/** What remains of `A` after a step that adds `B`: a name that is written again takes the new type. */
export type Merge<A, B> = {
  readonly [K in keyof A | keyof B]: K extends keyof B ? B[K] : K extends keyof A ? A[K] : never;
};

export interface ParameterOptions<T extends ParameterType = ParameterType> {
  readonly type: T;
  /** @default none: the parameter is null unless it is given */
  readonly default?: ParameterValue<T>;
  /** Refuse a run without a value. @default false */
  readonly required?: boolean;
  /** Shown by `--help`. */
  readonly help?: string;
}

/** Options whose default fits their type. */
export type AnyParameterOptions = { [T in ParameterType]: ParameterOptions<T> }[ParameterType];

export type ParameterValue<T extends ParameterType> = {
  readonly string: string;
  readonly number: number;
  readonly integer: number;
  readonly boolean: boolean;
  readonly json: unknown;
}[T];

/** Null is possible only without a default and without `required`. */
export type ParameterOf<O> = O extends { readonly type: infer T extends ParameterType }
  ? O extends { readonly default: unknown } | { readonly required: true }
    ? ParameterValue<T>
    : ParameterValue<T> | null
  : never;

export interface StepOptions {
  /** Attempts after a failed one: a number, or with a wait between them. @default 0: a step never runs twice silently */
  readonly retry?: number | { readonly times: number; readonly backoffMs?: number };
  /** The step is killed after so long, milliseconds. @default 86400000 */
  readonly timeoutMs?: number;
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
}

/** Second argument of every step. */
export interface StepContext<P = Readonly<Record<string, unknown>>> {
  readonly parameters: P;
  /** 32 hex characters. */
  readonly runId: string;
  readonly taskId: string;
  /** From 1. */
  readonly attempt: number;
  /** The same for all attempts: give it to outside systems, so that a repeated step has one effect there. */
  readonly idempotencyKey: string;
  /** Aborts when the step is to stop. */
  readonly signal: AbortSignal;
  readonly models: Models;
  /** A line in the log of the step. */
  readonly log: (message: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/** Second argument of a join. */
export interface JoinContext<P, Before> extends StepContext<P> {
  /** The artifacts from before the branches. */
  readonly before: Readonly<Before>;
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
  /** An alias that moves to this version. @default none */
  readonly alias?: string;
  /** @default '' */
  readonly description?: string;
}
