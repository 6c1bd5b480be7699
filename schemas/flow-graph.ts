/**
 * A flow as data: what the SDK builds, what travels in events, what `run-progress` walks. Plain JSON.
 *
 * Steps of one scope run one after the other. The root scope is `''`; each branch is a scope of its own, named `<branch point>.<branch>`
 * behind its parent's name. Artifacts add up along a scope and are visible in the scopes that open inside it; a join sees what each of
 * its branches added, and afterwards only what the join returns remains.
 */
import { type ParameterSpec, parameterProblems } from './flow-parameters.ts';

export interface FlowGraph {
  readonly format: 1;
  readonly name: string;
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** Each behind all that it comes after. */
  readonly steps: readonly GraphStep[];
  /** How long a started task may be silent before it counts as lost, milliseconds. */
  readonly leaseMs: number;
  /** How long a dispatch may wait for a worker before it goes to another partition, milliseconds. */
  readonly startMs: number;
}

/** Other kinds (foreach, switch, gang) join this union; a reader refuses a kind that it does not know. */
export type GraphStep = PlainStep | JoinStep;

interface StepBase {
  /** Unique in the flow: the scope's name, a dot, the step's own name. */
  readonly name: string;
  readonly scope: string;
  /** Steps that must have ended well; none for the first. */
  readonly after: readonly string[];
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  /** How its code runs: `function` (also when absent) in the bundle, `command` or `python` as a program of its own. */
  readonly runs?: StepRuns;
}

export interface StepRuns {
  readonly kind: 'function' | 'command' | 'python';
}

export interface PlainStep extends StepBase {
  readonly kind: 'step';
}

export interface JoinStep extends StepBase {
  readonly kind: 'join';
  /** Scopes that end here, in the order in which they were written. */
  readonly joins: readonly JoinedScope[];
}

export interface JoinedScope {
  readonly branch: string;
  readonly scope: string;
}

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly times: number;
  /** Wait before each of them, milliseconds. */
  readonly backoffMs: number;
}

export const flowDefaults = {
  leaseMs: 30_000,
  startMs: 60_000,
  timeoutMs: 86_400_000,
  retry: { times: 0, backoffMs: 0 },
} as const;

export const flowLimits = { steps: 1_000, parameters: 200, retryTimes: 20 } as const;

/** Names that mean something else where step and branch names are written. */
const reservedNames: ReadonlySet<string> = new Set([
  'step',
  'branch',
  'join',
  'parameter',
  'before',
  'command',
  'python',
]);

export type ParsedGraph =
  | { readonly graph: FlowGraph; readonly problems?: undefined }
  | { readonly problems: readonly string[] };

/** Parses the JSON text of a graph; all problems at once, each names its step and the fix. */
export function parseFlowGraph(text: string): ParsedGraph {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problems: [`the graph is no JSON: ${error instanceof Error ? error.message : String(error)}`] };
  }
  const problems = flowGraphProblems(value);
  return problems.length > 0 ? { problems } : { graph: value as FlowGraph };
}

/** What is wrong with a graph; empty when nothing is. */
export function flowGraphProblems(value: unknown): readonly string[] {
  const shape = shapeProblems(value);
  if (shape.length > 0) return shape;
  const graph = value as FlowGraph;
  return [
    ...parameterProblems(graph.parameters),
    ...graph.steps.flatMap((step) => stepProblems(step)),
    ...edgeProblems(graph.steps),
    ...scopeProblems(graph.steps),
  ];
}

/** Why a user may not call a step, branch or flow so; undefined when it is fine. */
export function nameProblem(kind: string, name: string): string | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name)) {
    return `${kind} '${name.slice(0, 80)}' must be named by 1 to 64 letters, digits, '_' or '-', beginning with a letter`;
  }
  if (kind !== 'flow' && reservedNames.has(name)) return `${kind} '${name}' has a reserved name: call it otherwise`;
  return undefined;
}

/** Steps that come directly after a step; for none, the first ones. */
export function stepsAfter(graph: FlowGraph, name: string | undefined): readonly GraphStep[] {
  return graph.steps.filter(({ after }) => (name === undefined ? after.length === 0 : after.includes(name)));
}

export function parentScope(scope: string): string | undefined {
  if (scope === '') return undefined;
  return scope.split('.').slice(0, -2).join('.');
}

function shapeProblems(value: unknown): string[] {
  const graph = value as Partial<FlowGraph> | null;
  if (typeof graph !== 'object' || graph === null || Array.isArray(graph)) return ['the graph must be an object'];
  if (graph.format !== 1) return [`the graph has format ${String(graph.format)}, this program reads format 1`];
  const problems: string[] = [];
  const name = typeof graph.name === 'string' ? nameProblem('flow', graph.name) : 'the graph has no name';
  if (name !== undefined) problems.push(name);
  if (!isRecord(graph.parameters)) problems.push('graph.parameters must be an object');
  if (!isDuration(graph.leaseMs, 100)) problems.push('graph.leaseMs must be a number of at least 100');
  if (!isDuration(graph.startMs, 100)) problems.push('graph.startMs must be a number of at least 100');
  if (!Array.isArray(graph.steps) || graph.steps.length === 0) problems.push('the flow has no step: add .step(...)');
  else if (graph.steps.length > flowLimits.steps)
    problems.push(`the flow has ${graph.steps.length} steps, the most is ${flowLimits.steps}`);
  else problems.push(...graph.steps.flatMap((step, index) => stepShapeProblems(step, index)));
  return problems;
}

function stepShapeProblems(value: unknown, index: number): string[] {
  const step = value as Partial<JoinStep> | null;
  if (!isRecord(step) || typeof step.name !== 'string') return [`steps[${index}] must be an object with a name`];
  const kind: unknown = step.kind;
  if (kind !== 'step' && kind !== 'join')
    return [`step '${step.name}' is of kind '${String(kind)}', this program runs step and join`];
  const bad = (what: string): string[] => [`step '${step.name}': ${what}`];
  if (typeof step.scope !== 'string') return bad('scope must be a text');
  if (!Array.isArray(step.after) || step.after.some((name) => typeof name !== 'string'))
    return bad('after must be a list of step names');
  if (!isRecord(step.retry) || typeof step.retry.times !== 'number' || typeof step.retry.backoffMs !== 'number')
    return bad('retry must be {times, backoffMs}');
  if (typeof step.timeoutMs !== 'number') return bad('timeoutMs must be a number');
  const runs: unknown = step.runs === undefined ? 'function' : (step.runs as { kind?: unknown } | null)?.kind;
  if (runs !== 'function' && runs !== 'command' && runs !== 'python')
    return bad(`runs as '${String(runs)}', this program runs function, command and python`);
  if (kind === 'join' && (!Array.isArray(step.joins) || !step.joins.every(isJoinedScope)))
    return bad('joins must be a list of {branch, scope}');
  return [];
}

function stepProblems({ name, scope, retry, timeoutMs }: GraphStep): string[] {
  const problems: string[] = [];
  if (name !== scope && !name.startsWith(scope === '' ? '' : `${scope}.`)) {
    problems.push(`step '${name}' lies in scope '${scope}' and its name must begin so`);
  }
  for (const part of name.split('.')) {
    const problem = nameProblem('step', part);
    if (problem !== undefined) problems.push(problem);
  }
  if (!Number.isInteger(retry.times) || retry.times < 0 || retry.times > flowLimits.retryTimes)
    problems.push(
      `step '${name}': retry.times must be an integer of 0 to ${flowLimits.retryTimes}, got ${retry.times}`,
    );
  if (!isDuration(retry.backoffMs, 0)) problems.push(`step '${name}': retry.backoffMs must be 0 or more`);
  if (!isDuration(timeoutMs, 1)) problems.push(`step '${name}': timeoutMs must be 1 or more, got ${timeoutMs}`);
  return problems;
}

function edgeProblems(steps: readonly GraphStep[]): string[] {
  const problems: string[] = [];
  const all = new Set(steps.map(({ name }) => name));
  const before = new Set<string>();
  for (const { name, after, kind } of steps) {
    if (before.has(name)) problems.push(`two steps are called '${name}': rename one of them`);
    for (const earlier of after) {
      if (!all.has(earlier)) {
        problems.push(`step '${name}' comes after '${earlier}', which does not exist: name an existing step`);
      } else if (!before.has(earlier)) {
        problems.push(
          `step '${name}' comes after '${earlier}', which comes after it: a cycle; remove one of the edges`,
        );
      }
    }
    if (kind === 'step' && after.length > 1)
      problems.push(`step '${name}' comes after ${after.length} steps: only a join may, so make it one`);
    before.add(name);
  }
  return problems;
}

/** Every scope but the root ends in exactly one join, and nothing but the first step begins from nothing. */
function scopeProblems(steps: readonly GraphStep[]): string[] {
  const problems: string[] = [];
  const joined = new Map<string, string>();
  for (const step of steps) {
    if (step.kind !== 'join') continue;
    if (step.joins.length === 0) problems.push(`join '${step.name}' joins nothing: put a branch before it`);
    for (const { scope } of step.joins) {
      const other = joined.get(scope);
      if (other !== undefined) problems.push(`branch '${scope}' is joined by '${other}' and by '${step.name}'`);
      joined.set(scope, step.name);
    }
  }
  const root = steps.filter(({ scope }) => scope === '');
  for (const step of steps) {
    if (step.scope !== '' && !joined.has(step.scope))
      problems.push(`branch '${step.scope}' is never joined: add .join(...) after its branch`);
    if (step.after.length === 0 && step.scope === '' && step !== root[0])
      problems.push(`step '${step.name}' is an orphan: nothing leads to it; put it behind another step`);
  }
  const ends = steps.filter(({ name }) => !steps.some(({ after }) => after.includes(name)));
  if (ends.length > 1 && problems.length === 0) {
    problems.push(
      `the flow ends in ${ends.map(({ name }) => `'${name}'`).join(' and ')}: join them, so that it has one end`,
    );
  }
  return [...new Set(problems)];
}

function isJoinedScope(value: unknown): value is JoinedScope {
  return isRecord(value) && typeof value['branch'] === 'string' && typeof value['scope'] === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDuration(value: unknown, min: number): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= min;
}
