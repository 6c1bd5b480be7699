/** What may be wrong with a graph: each message names the step and the fix. */
import { isRecord, shownValue } from './shown-value.ts';
import {
  failureKinds,
  type FlowGraph,
  flowLimits,
  type GraphStep,
  isPoint,
  isTask,
  type JoinedPoint,
  type Point,
  scopesOf,
  type TaskSettings,
} from './flow-graph.ts';
import { parameterProblems } from './flow-parameters.ts';

/** Names that mean something else where step and branch names are written. */
const reservedNames: ReadonlySet<string> = new Set([
  'step',
  'branch',
  'join',
  'foreach',
  'switch',
  'gang',
  'parameter',
  'before',
  'inputs',
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
    ...graph.steps.flatMap((step) => [...nameProblems(step), ...settingsProblems(step)]),
    ...hookProblems(graph),
    ...structureProblems(graph),
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

function shapeProblems(value: unknown): string[] {
  const graph = value as Partial<FlowGraph> | null;
  if (!isRecord(graph)) return ['the graph must be an object'];
  if (graph.format !== 1) return [`the graph has format ${String(graph.format)}, this program reads format 1`];
  const problems: string[] = [];
  const name = typeof graph.name === 'string' ? nameProblem('flow', graph.name) : 'the graph has no name';
  if (name !== undefined) problems.push(name);
  if (!isRecord(graph.parameters)) problems.push('graph.parameters must be an object');
  if (!isNumber(graph.leaseMs, 100)) problems.push('graph.leaseMs must be a number of at least 100');
  if (!isNumber(graph.startMs, 100)) problems.push('graph.startMs must be a number of at least 100');
  if (graph.maxWorkers !== undefined && !isCount(graph.maxWorkers, flowLimits.maxWorkers))
    problems.push(
      `maxWorkers must be an integer of 1 to ${flowLimits.maxWorkers}, got ${shownValue(graph.maxWorkers)}`,
    );
  if (graph.resumableMs !== undefined && !isCount(graph.resumableMs, flowLimits.resumableMs))
    problems.push(
      `resumableMs must be an integer of 1 to ${flowLimits.resumableMs}, got ${shownValue(graph.resumableMs)}`,
    );
  if (graph.maxSplits !== undefined && !isCount(graph.maxSplits, flowLimits.maxSplits))
    problems.push(`maxSplits must be an integer of 1 to ${flowLimits.maxSplits}, got ${shownValue(graph.maxSplits)}`);
  if (!Array.isArray(graph.steps) || graph.steps.length === 0) problems.push('the flow has no step: add .step(...)');
  else if (graph.steps.length > flowLimits.steps)
    problems.push(`the flow has ${graph.steps.length} steps, the most is ${flowLimits.steps}`);
  else problems.push(...graph.steps.flatMap((step: unknown, index) => stepShapeProblems(step, index)));
  return problems;
}

type Fields = Readonly<Record<string, unknown>>;

/** What a kind has besides name and scope. */
const shapes: Readonly<Record<GraphStep['kind'], (step: Fields) => string | undefined>> = {
  step: () => undefined,
  join: ({ joins }) => (typeof joins === 'string' ? undefined : 'joins must name the point before it'),
  branch: ({ branches }) =>
    Array.isArray(branches) && branches.every((branch) => isText(branch, 'branch') && isText(branch, 'scope'))
      ? undefined
      : 'branches must be a list of {branch, scope}',
  foreach: ({ body }) => (typeof body === 'string' ? undefined : 'body must be a scope'),
  switch: ({ cases }) =>
    Array.isArray(cases) && cases.every((one) => isText(one, 'key') && isText(one, 'scope'))
      ? undefined
      : 'cases must be a list of {key, scope}',
  repeat: ({ body }) => (typeof body === 'string' ? undefined : 'body must be a scope'),
  gang: ({ body, size }) =>
    typeof body === 'string' && (typeof size === 'number' || typeof size === 'string')
      ? undefined
      : 'body must be a scope, size a number or the name of a parameter',
};

function stepShapeProblems(value: unknown, index: number): string[] {
  if (!isRecord(value) || typeof value['name'] !== 'string') return [`steps[${index}] must be an object with a name`];
  const { name, kind, scope } = value;
  const shape = Object.hasOwn(shapes, String(kind)) ? shapes[kind as GraphStep['kind']] : undefined;
  if (shape === undefined)
    return [`step '${name}' is of kind '${String(kind)}', this program runs ${Object.keys(shapes).join(', ')}`];
  const bad = (what: string): string[] => [`step '${name}': ${what}`];
  if (typeof scope !== 'string') return bad('scope must be a text');
  const problem = shape(value);
  if (problem !== undefined) return bad(problem);
  if (!isTask(value as unknown as GraphStep)) return [];
  return settingsShapeProblem(value) === undefined ? [] : bad(settingsShapeProblem(value) ?? '');
}

function settingsShapeProblem({ retry, timeoutMs }: Fields): string | undefined {
  if (retry !== undefined && !(isRecord(retry) && isNumber(retry['times']) && isNumber(retry['backoffMs'])))
    return 'retry must be {times, backoffMs}';
  return typeof timeoutMs === 'number' ? undefined : 'timeoutMs must be a number';
}

function nameProblems({ name, scope }: GraphStep): string[] {
  const problems: string[] = [];
  if (name !== scope && !name.startsWith(scope === '' ? '' : `${scope}.`))
    problems.push(`step '${name}' lies in scope '${scope}' and its name must begin so`);
  if (name.length > flowLimits.nameLength)
    problems.push(
      `step '${name.slice(0, 80)}…' has a name of ${name.length} characters with its scopes, the most is ${flowLimits.nameLength}: nest less or call it shorter`,
    );
  for (const part of name.split('.')) {
    const problem = nameProblem('step', part);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

function settingsProblems(step: GraphStep): string[] {
  if (!isTask(step)) return [];
  const problems = taskSettingsProblems(step).map((problem) => `step '${step.name}': ${problem}`);
  if (step.catch !== undefined && (step.kind === 'foreach' || step.kind === 'switch'))
    problems.push(
      `${step.kind} '${step.name}' cannot catch its failure: nobody would know how to go on; let the step before it catch`,
    );
  return problems;
}

function taskSettingsProblems({
  retry,
  timeoutMs,
  catch: caught,
  environment,
  secrets,
  memoise,
}: TaskSettings): string[] {
  const problems: string[] = [...memoiseProblems(memoise)];
  if (retry !== undefined) {
    if (!Number.isInteger(retry.times) || retry.times < 0 || retry.times > flowLimits.retryTimes)
      problems.push(`retry.times must be an integer of 0 to ${flowLimits.retryTimes}, got ${retry.times}`);
    if (!isNumber(retry.backoffMs, 0)) problems.push('retry.backoffMs must be 0 or more');
    if (retry.factor !== undefined && !isNumber(retry.factor, 1)) problems.push('retry.factor must be 1 or more');
    const unknown = retry.on?.filter((kind) => !failureKinds.includes(kind)) ?? [];
    if (unknown.length > 0)
      problems.push(`retry.on names ${unknown.map(shownValue).join(', ')}; kinds are ${failureKinds.join(', ')}`);
  }
  if (!isNumber(timeoutMs, 1)) problems.push(`timeoutMs must be 1 or more, got ${timeoutMs}`);
  if (caught !== undefined && !/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(caught))
    problems.push(`catch must name an artifact by letters, digits and '_', got ${shownValue(caught)}`);
  for (const name of [...Object.keys(environment ?? {}), ...Object.keys(secrets ?? {})]) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name))
      problems.push(`${shownValue(name)} is no name of an environment variable`);
    else if (environment !== undefined && Object.hasOwn(environment, name) && Object.hasOwn(secrets ?? {}, name))
      problems.push(`'${name}' is an environment variable and a secret: remove one`);
  }
  return problems;
}

function memoiseProblems(memoise: TaskSettings['memoise']): string[] {
  if (memoise === undefined) return [];
  if (!isRecord(memoise)) return ['memoise must be an object'];
  const { forMs = 1, windowMs = 1, key = '' } = memoise as Record<string, unknown>;
  const problems: string[] = [];
  if (!isNumber(forMs, 1)) problems.push(`memoise.forMs must be 1 or more, got ${shownValue(forMs)}`);
  if (!isNumber(windowMs, 1)) problems.push(`memoise.windowMs must be 1 or more, got ${shownValue(windowMs)}`);
  if (typeof key !== 'string' || key.length > 1_000)
    problems.push('memoise.key must be a text of 1000 characters at most');
  return problems;
}

function hookProblems({ hooks }: FlowGraph): string[] {
  return Object.entries(hooks ?? {}).flatMap(([name, settings]) => {
    const shape = settingsShapeProblem(settings as unknown as Fields);
    return (shape === undefined ? taskSettingsProblems(settings) : [shape]).map(
      (problem) => `hook '${name}': ${problem}`,
    );
  });
}

/** Every scope has one point that opens it before its first step, every walk its join, every round one step that decides. */
function structureProblems({ steps, parameters }: FlowGraph): string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  const opened = new Map<string, Point | undefined>([['', undefined]]);
  const last = new Map<string, GraphStep>();
  const depth = new Map([['', 0]]);
  for (const step of steps) {
    const { name, scope } = step;
    if (names.has(name)) problems.push(`two steps are called '${name}': rename one of them`);
    names.add(name);
    if (!opened.has(scope)) {
      problems.push(
        `step '${name}' is an orphan: nothing before it opens its scope '${scope}'; put it behind a point that does`,
      );
      continue;
    }
    const before = last.get(scope);
    if (before !== undefined && isJoined(before) && !(step.kind === 'join' && step.joins === before.name))
      problems.push(unjoined(before));
    if (step.kind === 'join' && (before === undefined || !isJoined(before) || step.joins !== before.name))
      problems.push(`join '${name}' joins nothing: put a branch, foreach or gang directly before it`);
    if (before !== undefined && 'decides' in before)
      problems.push(`step '${name}' comes after '${before.name}', which ends its round: put it before that`);
    last.set(scope, step);
    if (!isPoint(step)) continue;
    problems.push(...pointProblems(step, parameters));
    for (const inner of scopesOf(step)) {
      if (opened.has(inner)) problems.push(`scope '${inner}' is opened twice: rename '${name}' or its branch`);
      if (!inner.startsWith(scope === '' ? '' : `${scope}.`))
        problems.push(`'${name}' opens scope '${inner}', whose name must begin with '${scope}.'`);
      opened.set(inner, step);
      depth.set(inner, (depth.get(scope) ?? 0) + 1);
      if ((depth.get(inner) ?? 0) > flowLimits.nesting)
        problems.push(`'${name}' is nested deeper than ${flowLimits.nesting}: nest less`);
    }
  }
  for (const [scope, point] of opened) problems.push(...endProblems(scope, point, steps, last.get(scope)));
  return [...new Set(problems)];
}

function pointProblems(point: Point, parameters: FlowGraph['parameters']): string[] {
  const { name } = point;
  switch (point.kind) {
    case 'branch':
      if (point.branches.length === 0) return [`branch '${name}' has no branches: give at least one`];
      return point.branches.length <= flowLimits.branches
        ? []
        : [`branch '${name}' has ${point.branches.length} branches, the most is ${flowLimits.branches}: use foreach`];
    case 'switch': {
      if (point.cases.length === 0) return [`switch '${name}' has no cases: give at least one`];
      const keys = new Set(point.cases.map(({ key }) => key));
      return keys.size === point.cases.length ? [] : [`switch '${name}' has a case twice: remove one`];
    }
    case 'repeat':
      return isCount(point.most, flowLimits.rounds)
        ? []
        : [`repeat '${name}': most must be an integer of 1 to ${flowLimits.rounds}, got ${shownValue(point.most)}`];
    case 'gang':
      if (typeof point.size === 'string')
        return Object.hasOwn(parameters, point.size) && parameters[point.size]?.type === 'integer'
          ? []
          : [`gang '${name}': its size is parameter '${point.size}', which must be declared as an integer`];
      return isCount(point.size, flowLimits.maxWorkers)
        ? []
        : [`gang '${name}': size must be an integer of 1 to ${flowLimits.maxWorkers}, got ${shownValue(point.size)}`];
    default:
      return [];
  }
}

function endProblems(
  scope: string,
  point: Point | undefined,
  steps: readonly GraphStep[],
  end: GraphStep | undefined,
): string[] {
  if (end !== undefined && isJoined(end)) return [unjoined(end)];
  if (point === undefined) return [];
  if (end === undefined) return [`'${point.name}' opens scope '${scope}', which has no step: add .step(...)`];
  const inside = steps.filter((step) => step.scope === scope);
  if (point.kind === 'gang' && (inside.length !== 1 || end.kind !== 'step'))
    return [`gang '${point.name}' must be one step`];
  const decides = 'decides' in end;
  if (point.kind === 'repeat' && !decides)
    return [`repeat '${point.name}': its last step '${end.name}' must decide whether there is another round`];
  if (point.kind !== 'repeat' && decides) return [`step '${end.name}' decides about rounds, but lies in no repeat`];
  return [];
}

function unjoined({ kind, name }: JoinedPoint): string {
  return `${kind} '${name}' is not joined: add .join(...) directly after it`;
}

function isJoined(step: GraphStep): step is JoinedPoint {
  return step.kind === 'branch' || step.kind === 'foreach' || step.kind === 'gang';
}

function isText(value: unknown, field: string): boolean {
  return isRecord(value) && typeof value[field] === 'string';
}

function isNumber(value: unknown, min = Number.NEGATIVE_INFINITY): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= min;
}

function isCount(value: unknown, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most;
}
