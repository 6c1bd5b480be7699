/**
 * A flow as data: what the SDK builds, what travels in events, what `run-progress` walks. Plain JSON.
 *
 * Steps of one scope run one after the other, in the order in which they are listed. The root scope is `''`. A *point* opens scopes: a
 * branch one for each branch, a switch the one of the case that was chosen, a foreach, a repeat and a gang one scope that is walked
 * once for each item, round or rank. Artifacts add up along a scope and are visible in the scopes that open inside it. A branch, a
 * foreach and a gang end in the join that comes next, which sees what each walk added; afterwards only what the join returns remains.
 * What a switch or a repeat added stays in the scope in which it lies.
 */
import type { ParameterSpec } from './flow-parameters.ts';

export interface FlowGraph {
  readonly format: 1;
  readonly name: string;
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** Each behind the one before it in its scope; what lies in a scope is behind the point that opens it. */
  readonly steps: readonly GraphStep[];
  /** How long a started task may be silent before it counts as lost, milliseconds. */
  readonly leaseMs: number;
  /** How long a dispatch may wait for a worker before it goes to another partition, milliseconds. */
  readonly startMs: number;
  /** Tasks of a run that may be under way at once. @default flowDefaults.maxWorkers */
  readonly maxWorkers?: number;
  /** Items that a foreach may have. @default flowDefaults.maxSplits */
  readonly maxSplits?: number;
  /** How long a run that is over can be resumed, milliseconds. @default flowDefaults.resumableMs */
  readonly resumableMs?: number;
  /** Snapshot of the configuration, by name. @default none */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** Where its code is from, as far as who bundled it knows. @default not known */
  readonly source?: FlowSource;
  /** Steps that run after the end of a run. @default none */
  readonly hooks?: { readonly success?: TaskSettings; readonly error?: TaskSettings };
}

export interface FlowSource {
  /** File or folder, as it lies in its repository; without one as it was named. */
  readonly name: string;
  /** Of an MLproject folder: what of it runs. */
  readonly entryPoint?: string;
  readonly commit?: string;
  readonly branch?: string;
  /** Address of the repository. */
  readonly repository?: string;
  /** Changes that are not committed are in the bundle. @default false */
  readonly dirty?: boolean;
}

/** A reader refuses a kind that it does not know. */
export type GraphStep = PlainStep | JoinStep | BranchPoint | ForeachPoint | SwitchPoint | RepeatPoint | GangPoint;

/** Kinds that are tasks: user code runs for them. */
export type TaskStep = PlainStep | JoinStep | ForeachPoint | SwitchPoint;

/** Kinds that open scopes. */
export type Point = BranchPoint | ForeachPoint | SwitchPoint | RepeatPoint | GangPoint;

/** Points that end in a join. */
export type JoinedPoint = BranchPoint | ForeachPoint | GangPoint;

interface StepBase {
  /** Unique in the flow: the scope's name, a dot, the step's own name. */
  readonly name: string;
  readonly scope: string;
}

/** How a task runs. */
export interface TaskSettings {
  /** @default flowDefaults.retry; absent when nobody declared it, so that a run may */
  readonly retry?: RetryPolicy;
  readonly timeoutMs: number;
  /** How its code runs: `function` (also when absent) in the bundle, `command` or `python` as a program of its own. */
  readonly runs?: StepRuns;
  /** Artifact that takes the failure of the last attempt; the step then counts as ended well. @default a failure ends the run */
  readonly catch?: string;
  readonly resources?: Resources;
  /** Compute class of the workers that may take it. @default process */
  readonly compute?: string;
  /** Container image, where the compute class runs containers. */
  readonly image?: string;
  /** Environment variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Environment variable to where its value comes from. */
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  /** Reuse what an earlier task of the same code, inputs and parameters returned. */
  readonly memoise?: Memoised;
  /** Checkpoints stay when the task has ended well. @default they go */
  readonly keepCheckpoints?: boolean;
}

export interface Memoised {
  /** An older outcome is not reused. @default flowDefaults.memoryMs */
  readonly forMs?: number;
  /** Part of what must be the same. */
  readonly key?: string;
  /** Outside data belong to windows of so long, from 1970 on in UTC; part of what must be the same is the one in which the run lies. */
  readonly windowMs?: number;
  /** Reuse nothing in this run; what it does is kept. */
  readonly refresh?: true;
}

export interface StepRuns {
  readonly kind: 'function' | 'command' | 'python';
}

export interface PlainStep extends StepBase, TaskSettings {
  readonly kind: 'step';
  /** It ends a round of the repeat around it, and says whether there is another one. */
  readonly decides?: true;
}

export interface JoinStep extends StepBase, TaskSettings {
  readonly kind: 'join';
  /** Point whose walks end here: the one directly before it. */
  readonly joins: string;
  readonly decides?: true;
}

export interface BranchPoint extends StepBase {
  readonly kind: 'branch';
  /** In the order in which they were written. */
  readonly branches: readonly NamedScope[];
}

export interface NamedScope {
  readonly branch: string;
  readonly scope: string;
}

/** A task that answers the items; then its body is walked once for each. */
export interface ForeachPoint extends StepBase, TaskSettings {
  readonly kind: 'foreach';
  readonly body: string;
}

/** A task that answers the key of a case. */
export interface SwitchPoint extends StepBase, TaskSettings {
  readonly kind: 'switch';
  readonly cases: readonly { readonly key: string; readonly scope: string }[];
}

/** Its body is walked until the step that decides says so. */
export interface RepeatPoint extends StepBase {
  readonly kind: 'repeat';
  readonly body: string;
  /** Rounds at most. */
  readonly most: number;
}

/** Its body, one step, runs as so many tasks at once. */
export interface GangPoint extends StepBase {
  readonly kind: 'gang';
  readonly body: string;
  /** A number, or the name of an integer parameter. */
  readonly size: number | string;
}

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly times: number;
  /** Wait before the second attempt, milliseconds. */
  readonly backoffMs: number;
  /** Each further wait is so many times longer, up to an hour. @default 1 */
  readonly factor?: number;
  /** Kinds of failure after which there is another attempt. @default all that may pass */
  readonly on?: readonly FailureKind[];
}

/** Who or what ended an attempt badly. */
export const failureKinds = ['user', 'platform', 'timeout', 'killed', 'lost'] as const;
export type FailureKind = (typeof failureKinds)[number];

/** What a task asks of the machine. */
export interface Resources {
  /** Cores. */
  readonly cpu?: number;
  /** MiB. */
  readonly memoryMb?: number;
  readonly gpu?: number;
  /** MiB. */
  readonly diskMb?: number;
}

/** Where a secret's value is read, when the task begins, by the worker that runs it. */
export interface SecretSource {
  /** `env`: a variable of the worker; `file`: a file on the worker; `kubernetes`: `<secret>/<key>`, on a worker of Kubernetes. */
  readonly provider: string;
  readonly key: string;
}

/** Compute class of steps that ask for none. */
export const defaultCompute = 'process';

export const flowDefaults = {
  leaseMs: 30_000,
  startMs: 60_000,
  timeoutMs: 86_400_000,
  maxWorkers: 32,
  maxSplits: 10_000,
  resumableMs: 14 * 86_400_000,
  memoryMs: 30 * 86_400_000,
  retry: { times: 0, backoffMs: 0 },
} as const;

export const flowLimits = {
  steps: 1_000,
  branches: 64,
  parameters: 200,
  retryTimes: 20,
  maxWorkers: 1_000,
  maxSplits: 1_000_000,
  rounds: 1_000_000,
  resumableMs: 10 * 365 * 86_400_000,
  nameLength: 200,
  nesting: 20,
} as const;

export function isTask(step: GraphStep): step is TaskStep {
  return step.kind === 'step' || step.kind === 'join' || step.kind === 'foreach' || step.kind === 'switch';
}

/** The graph of a run whose memoised steps run, whatever is remembered; what they do is kept. */
export function refreshed(graph: FlowGraph): FlowGraph {
  const steps = graph.steps.map((step) =>
    isTask(step) && step.memoise !== undefined
      ? { ...step, memoise: { ...step.memoise, refresh: true as const } }
      : step,
  );
  return { ...graph, steps };
}

export function isPoint(step: GraphStep): step is Point {
  return step.kind !== 'step' && step.kind !== 'join';
}

/** Scopes that a point opens, in the order in which they were written. */
export function scopesOf(point: Point): readonly string[] {
  switch (point.kind) {
    case 'branch':
      return point.branches.map(({ scope }) => scope);
    case 'switch':
      return point.cases.map(({ scope }) => scope);
    default:
      return [point.body];
  }
}
