import type { Leavings, LeftBy } from './artifact-kinds.ts';
import type { Command, PythonProgram } from './program-types.ts';
import type {
  AnyParameterOptions,
  ArtifactsOf,
  JoinContext,
  Merge,
  Nothing,
  ParameterOf,
  StepContext,
  StepOptions,
  StepReturn,
} from './types.ts';
import type { OnAll, OnAny, OnEventOptions, OnFinishOptions, ScheduleOptions } from './triggers.ts';

/**
 * A chain of steps. `P` are the parameters, `A` the artifacts that the next step sees, `Own` those that were added since the
 * enclosing branch began (at the root the same).
 */
export interface Chain<P, A, Own> {
  /** Only for the compiler, so that a chain shows what it adds. */
  readonly ownArtifacts?: Own;
  /** Runs after the step before. What it returns is added to the artifacts. */
  step<R extends StepReturn>(
    name: string,
    run: (artifacts: Readonly<A>, context: StepContext<P>) => R | Promise<R>,
    options?: StepOptions,
  ): Chain<P, Merge<A, ArtifactsOf<R>>, Merge<Own, ArtifactsOf<R>>>;
  /** Runs a program in any language: it gets artifacts as files, and leaves files that become artifacts. */
  command<L extends Leavings = Nothing>(
    name: string,
    command: Command<P, A, L>,
    options?: StepOptions,
  ): Chain<P, Merge<A, LeftBy<L>>, Merge<Own, LeftBy<L>>>;
  /** Runs a Python program like a command, in an environment that is built from its requirements. */
  python<L extends Leavings = Nothing>(
    name: string,
    python: PythonProgram<P, A, L>,
    options?: StepOptions,
  ): Chain<P, Merge<A, LeftBy<L>>, Merge<Own, LeftBy<L>>>;
  /**
   * Runs each branch at the same time: a function is one step, `(branch) => branch.step(...).step(...)` a chain of its own, written just
   * so. A join must follow.
   */
  branch<B extends Readonly<Record<string, BranchRun<P, A>>>>(
    name: string,
    branches: B,
    options?: StepOptions,
  ): Branched<P, A, { readonly [K in keyof B]: BranchArtifacts<ReturnType<B[K]>> }>;
}

/** What a branch gets: artifacts if it is a step, the chain to go on with if it is a chain. */
export type BranchRun<P, A> = (
  artifacts: Readonly<A> & Pick<Chain<P, A, Nothing>, 'step' | 'branch' | 'command' | 'python'>,
  context: StepContext<P>,
) => unknown;

/** The artifacts that a branch adds. */
export type BranchArtifacts<R> =
  R extends Chain<infer _P, infer _A, infer Own> ? (unknown extends Own ? ArtifactsOf<R> : Own) : ArtifactsOf<R>;

export interface Branched<P, A, Branches> {
  /** Runs once all branches ended well. First argument: what each branch added. Afterwards only what this returns remains. */
  join<R extends StepReturn>(
    name: string,
    run: (branches: Branches, context: JoinContext<P, A>) => R | Promise<R>,
    options?: StepOptions,
  ): Chain<P, ArtifactsOf<R>, ArtifactsOf<R>>;
}

/** A flow before its first step: parameters and triggers are declared here. */
export interface FlowHead<P> extends Chain<P, Nothing, Nothing> {
  parameter<N extends string, const O extends AnyParameterOptions>(
    name: N,
    options: O,
  ): FlowHead<P & { readonly [K in N]: ParameterOf<O> }>;
  /** Starts a run for each event of that name, or for several events together: `{ all }` and `{ any }`. */
  on(event: string, options?: OnEventOptions<P>): FlowHead<P>;
  on(events: OnAll<P> | OnAny<P>): FlowHead<P>;
  /** Starts a run when a run of another flow has ended: its name within the same project branch, or a whole deployed name. */
  onFinish(flow: string, options?: OnFinishOptions<P>): FlowHead<P>;
  /** Starts a run at each slot. */
  schedule(options: ScheduleOptions<P>): FlowHead<P>;
}
