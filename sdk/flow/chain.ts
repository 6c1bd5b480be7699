import type { Leavings, LeftBy } from './artifact-kinds.ts';
import type { Command, PythonProgram } from './program-types.ts';
import type {
  ArtifactsOf,
  Collection,
  ConfigurationOptions,
  GangContext,
  GangOptions,
  Hook,
  JoinContext,
  Merge,
  Nothing,
  ParameterOf,
  ParameterOptions,
  RepeatOptions,
  Returned,
  StepContext,
  StepOptions,
  StepReturn,
  SwitchKey,
} from './types.ts';
import type { OnAlertOptions, OnAll, OnAny, OnEventOptions, OnFinishOptions, ScheduleOptions } from './triggers.ts';

/**
 * A chain of steps. `P` are the parameters, `A` the artifacts that the next step sees, `Own` those that were added since the
 * enclosing scope began (at the root the same), `F` what the foreach around it gives (its `item`), `C` the configuration.
 */
export interface Chain<P, A, Own, F = Nothing, C = Nothing> {
  /** Only for the compiler, so that a chain shows what it adds. */
  readonly ownArtifacts?: Own;
  /** Runs after the step before. What it returns is added to the artifacts. */
  step<R extends StepReturn, const O extends StepOptions = Nothing>(
    name: string,
    run: (artifacts: Readonly<A & F>, context: StepContext<P, C>) => R | Promise<R>,
    options?: O | ((given: { readonly configuration: C }) => O),
  ): Chain<P, Merge<A, Returned<R, O>>, Merge<Own, Returned<R, O>>, F, C>;
  /** Runs a program in any language: it gets artifacts as files, and leaves files that become artifacts. */
  command<L extends Leavings = Nothing>(
    name: string,
    command: Command<P, A & F, L>,
    options?: StepOptions,
  ): Chain<P, Merge<A, LeftBy<L>>, Merge<Own, LeftBy<L>>, F, C>;
  /** Runs a Python program like a command, in an environment that is built from its requirements. */
  python<L extends Leavings = Nothing>(
    name: string,
    python: PythonProgram<P, A & F, L>,
    options?: StepOptions,
  ): Chain<P, Merge<A, LeftBy<L>>, Merge<Own, LeftBy<L>>, F, C>;
  /**
   * Runs each branch at the same time: a function is one step, `(branch) => branch.step(...).step(...)` a chain of its own, written just
   * so. A join must follow.
   */
  branch<B extends Readonly<Record<string, Body<P, A, F, C>>>>(
    name: string,
    branches: B,
    options?: StepOptions,
  ): Branched<P, A, { readonly [K in keyof B]: BodyArtifacts<ReturnType<B[K]>> }, F, C>;
  /**
   * Runs the body once for each item that `items` answers, as many at a time as the run may; it is a function (one step, called
   * `<name>.each`) or a chain. Its steps see their `item`. A join must follow and gets the results in the order of the items.
   */
  foreach<I, B>(
    name: string,
    items: (artifacts: Readonly<A & F>, context: StepContext<P, C>) => Collection<I> | Promise<Collection<I>>,
    body: (each: BodyInput<P, A, { readonly item: I }, C>, context: StepContext<P, C>) => B,
    options?: Omit<StepOptions, 'catch'>,
  ): Collected<P, A, BodyArtifacts<B>, F, C>;
  /**
   * Goes on in the case whose key `choose` answers. Only what that case added exists afterwards; no join follows. An answer without a
   * case fails the step.
   */
  switch<K extends SwitchKey, B extends { readonly [Key in `${K}`]: Body<P, A, F, C> }>(
    name: string,
    choose: (artifacts: Readonly<A & F>, context: StepContext<P, C>) => K | Promise<K>,
    cases: B,
    options?: Omit<StepOptions, 'catch'>,
  ): Chain<P, Merge<A, CaseArtifacts<B>>, Merge<Own, CaseArtifacts<B>>, F, C>;
  /**
   * Runs the body again until `until` is true of what it added (or `while` is false), `most` times at most. It is a function (one step,
   * called `<name>.round`) or a chain whose last step is a `step` or a `join`.
   */
  repeat<B>(
    name: string,
    body: (round: BodyInput<P, A, F, C>, context: StepContext<P, C>) => B,
    options: RepeatOptions<Merge<A, BodyArtifacts<B>>>,
  ): Chain<P, Merge<A, BodyArtifacts<B>>, Merge<Own, BodyArtifacts<B>>, F, C>;
  /**
   * Runs the step (called `<name>.member`) as so many tasks that begin together; each knows its rank, the size, and the address that
   * rank 0 keeps for the others. All end well or none: one that fails ends the attempt of all. A join must follow.
   */
  gang<R extends StepReturn>(
    name: string,
    options: GangOptions<P>,
    run: (artifacts: Readonly<A & F>, context: GangContext<P, C>) => R | Promise<R>,
  ): Collected<P, A, ArtifactsOf<R>, F, C>;
}

type Verbs = 'step' | 'branch' | 'command' | 'python' | 'foreach' | 'switch' | 'repeat' | 'gang';

/** What a body gets: artifacts if it is a step, the chain to go on with if it is a chain. */
export type BodyInput<P, A, F, C> = Readonly<A & F> & Pick<Chain<P, A, Nothing, F, C>, Verbs>;

/** A branch, case or the like: one step, or a chain. */
export type Body<P, A, F, C> = (input: BodyInput<P, A, F, C>, context: StepContext<P, C>) => unknown;

/** The artifacts that a body adds. */
export type BodyArtifacts<R> =
  R extends Chain<infer _P, infer _A, infer Own, infer _F, infer _C>
    ? unknown extends Own
      ? ArtifactsOf<R>
      : Own
    : ArtifactsOf<R>;

/** What one of the cases adds: a union, so that only what all of them have is sure. */
export type CaseArtifacts<B> = {
  [K in keyof B]: B[K] extends (...args: never[]) => infer R ? BodyArtifacts<R> : never;
}[keyof B];

/** Artifacts that any of a union has, each with all types that it may have. */
export type Anything<U> = { readonly [K in KeysOf<U>]: U extends { readonly [Key in K]: infer V } ? V : never };
type KeysOf<U> = U extends unknown ? keyof U : never;

export interface Branched<P, A, Branches, F = Nothing, C = Nothing> {
  /**
   * Runs once all branches ended well. First argument: what each branch added, by name and in order as `inputs`. Afterwards only what
   * this returns remains.
   */
  join<R extends StepReturn, const O extends StepOptions = Nothing>(
    name: string,
    run: (
      branches: Branches & { readonly inputs: readonly Branches[keyof Branches][] } & F,
      context: JoinContext<P, A, C, Merge<A, Anything<Branches[keyof Branches]>>>,
    ) => R | Promise<R>,
    options?: O | ((given: { readonly configuration: C }) => O),
  ): Chain<P, Returned<R, O>, Returned<R, O>, F, C>;
}

export interface Collected<P, A, Each, F = Nothing, C = Nothing> {
  /** Runs once all have ended well. `inputs`: what each added, in order. Afterwards only what this returns remains. */
  join<R extends StepReturn, const O extends StepOptions = Nothing>(
    name: string,
    run: (
      collected: { readonly inputs: readonly Each[] } & F,
      context: JoinContext<P, A, C, Merge<A, Each>>,
    ) => R | Promise<R>,
    options?: O | ((given: { readonly configuration: C }) => O),
  ): Chain<P, Returned<R, O>, Returned<R, O>, F, C>;
}

/** A flow before its first step: parameters, configuration, triggers and exit hooks are declared here. */
export interface FlowHead<P, C = Nothing> extends Chain<P, Nothing, Nothing, Nothing, C> {
  parameter<N extends string, const O extends ParameterOptions>(
    name: N,
    options: O,
  ): FlowHead<P & { readonly [K in N]: ParameterOf<O> }, C>;
  /** Starts a run for each event of that name, or for several events together: `{ all }` and `{ any }`. */
  on(event: string, options?: OnEventOptions<P>): FlowHead<P, C>;
  on(events: OnAll<P> | OnAny<P>): FlowHead<P, C>;
  /** Starts a run when a run of another flow has ended: its name within the same project branch, or a whole deployed name. */
  onFinish(flow: string, options?: OnFinishOptions<P>): FlowHead<P, C>;
  /**
   * Starts a run when an alert of the deployment is raised: drift, or whatever else its monitors judge. Parameters take what the alert
   * says: `alertId`, `kind`, `subject` (the detector), `message`, `evidenceId` (the finding), `deployment`, `deploymentVersion`.
   */
  onAlert(deployment: string, options?: OnAlertOptions<P>): FlowHead<P, C>;
  /** Starts a run at each slot. */
  schedule(options: ScheduleOptions<P>): FlowHead<P, C>;
  /** A file or value that is read when the flow is run or deployed, and never changes for what was started with it. */
  configure<N extends string, T = unknown>(
    name: N,
    options: ConfigurationOptions<T>,
  ): FlowHead<P, C & { readonly [K in N]: T }>;
  /** Runs after a run that completed. It writes no artifacts, and its failure changes nothing. */
  onSuccess(run: Hook<P, C>, options?: StepOptions): FlowHead<P, C>;
  /** Runs after a run that failed. */
  onError(run: Hook<P, C>, options?: StepOptions): FlowHead<P, C>;
}
