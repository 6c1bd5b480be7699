import { invalidArgument } from '../../runtime/ports/errors.ts';
import type { FlowGraph, GraphStep, StepRuns } from '../../schemas/flow-graph.ts';
import { flowGraphProblems, nameProblem } from '../../schemas/flow-graph-problems.ts';
import { type FlowPolicy, policyProblems } from '../../schemas/flow-policy.ts';
import type { FlowTrigger } from '../../schemas/flow-triggers.ts';
import { triggerProblems } from '../../schemas/trigger-problems.ts';
import type { FlowCode, StepCall, StepResult } from '../../runtime/ports/flow-code.ts';
import type { Leavings } from './artifact-kinds.ts';
import type { FlowHead } from './chain.ts';
import { FlowDraft } from './draft.ts';
import { commandStep, type ProgramStep, pythonStep } from './program.ts';
import type { Command, PythonProgram } from './program-types.ts';
import { isSubChain } from './sub-chain.ts';
import { runStep, type StepFunction } from './run-step.ts';
import {
  buildEventTrigger,
  buildAlertTrigger,
  buildFinishTrigger,
  buildGroupTrigger,
  buildScheduleTrigger,
  type OnAll,
  type OnAny,
  type OnEventOptions,
  type OnAlertOptions,
  type OnFinishOptions,
  type ScheduleOptions,
} from './triggers.ts';
import type {
  ConfigurationOptions,
  FlowOptions,
  GangOptions,
  Nothing,
  ParameterOptions,
  RepeatOptions,
  StepOptions,
} from './types.ts';

/**
 * Begins a flow. The file exports the finished chain by default.
 *
 * @example
 * export default flow('greeting')
 *   .parameter('name', { type: 'string', default: 'world' })
 *   .step('greet', (_, { parameters }) => ({ greeting: `hello ${parameters.name}` }))
 *   .step('shout', ({ greeting }) => ({ loud: greeting.toUpperCase() }));
 */
export function flow(name: string, options: FlowOptions = {}): FlowHead<Nothing> {
  const problem = nameProblem('flow', name);
  if (problem !== undefined) throw invalidArgument(problem);
  return new FlowBuilder(new FlowDraft(name, options), rootScope);
}

interface Scope {
  readonly name: string;
  /** Step that the next one comes after. */
  last: string | undefined;
  /** A branch, foreach or gang that waits for its join. */
  open: { readonly kind: string; readonly name: string; readonly own: string } | undefined;
}

const rootScope: Scope = { name: '', last: undefined, open: undefined };

type Options = StepOptions | ((given: { readonly configuration: never }) => StepOptions);

/** The one class behind all chain types. Each call answers a new chain, so a chain can be kept and only its last use counts. */
class FlowBuilder implements FlowCode {
  readonly millraceFlow = 1;
  readonly #draft: FlowDraft;
  readonly #scope: Scope;

  constructor(draft: FlowDraft, scope: Scope) {
    this.#draft = draft;
    this.#scope = { ...scope };
  }

  get name(): string {
    return this.#draft.name;
  }

  /** The whole flow, checked. */
  get graph(): FlowGraph {
    if (this.#scope.open !== undefined) throw invalidArgument(unjoined(this.#scope.open));
    const graph = this.#draft.graph();
    const problems = [
      ...flowGraphProblems(graph),
      ...triggerProblems(this.triggers, Object.keys(graph.parameters)),
      ...policyProblems(this.policy),
    ];
    if (problems.length > 0) throw invalidArgument(`flow '${this.name}': ${problems.join('; ')}`);
    return graph;
  }

  get triggers(): readonly FlowTrigger[] {
    return this.#draft.triggers;
  }

  /** How it runs once it is deployed. */
  get policy(): FlowPolicy {
    const { project, concurrency, tags } = this.#draft.options;
    return {
      ...(project === undefined ? {} : { project }),
      ...(concurrency === undefined
        ? {}
        : { concurrency: typeof concurrency === 'number' ? { max: concurrency } : concurrency }),
      ...(tags === undefined ? {} : { tags }),
    };
  }

  get files(): readonly string[] {
    return [...this.#draft.files].sort();
  }

  runStep(call: StepCall): Promise<StepResult> {
    const code = this.#draft.code.get(call.step);
    if (code === undefined) throw invalidArgument(`flow '${this.name}' has no step '${call.step}'`);
    return runStep(code, call);
  }

  parameter(name: string, options: ParameterOptions): FlowBuilder {
    this.#draft.parameter(name, options);
    return this;
  }

  on(event: string | OnAll<unknown> | OnAny<unknown>, options: OnEventOptions<unknown> = {}): FlowBuilder {
    return this.#trigger(typeof event === 'string' ? buildEventTrigger(event, options) : buildGroupTrigger(event));
  }

  onFinish(flow: string, options: OnFinishOptions<unknown> = {}): FlowBuilder {
    return this.#trigger(buildFinishTrigger(flow, options));
  }

  onAlert(deployment: string, options: OnAlertOptions<unknown> = {}): FlowBuilder {
    return this.#trigger(buildAlertTrigger(deployment, options));
  }

  schedule(options: ScheduleOptions<unknown>): FlowBuilder {
    return this.#trigger(buildScheduleTrigger(options));
  }

  configure(name: string, options: ConfigurationOptions<unknown>): FlowBuilder {
    this.#draft.configure(name, options);
    return this;
  }

  onSuccess(run: StepFunction, options: StepOptions = {}): FlowBuilder {
    this.#draft.hook('success', run, options);
    return this;
  }

  onError(run: StepFunction, options: StepOptions = {}): FlowBuilder {
    this.#draft.hook('error', run, options);
    return this;
  }

  step(name: string, run: StepFunction, options: Options = {}): FlowBuilder {
    this.#check('step', name);
    this.#task({ kind: 'step' }, this.#qualified(name), run, options);
    return this.#after(this.#qualified(name));
  }

  command(name: string, command: Command<never, never, Leavings>, options: StepOptions = {}): FlowBuilder {
    return this.#program(name, 'command', commandStep(this.#qualified(name), command), options);
  }

  python(name: string, python: PythonProgram<never, never, Leavings>, options: StepOptions = {}): FlowBuilder {
    return this.#program(name, 'python', pythonStep(this.#qualified(name), python), options);
  }

  branch(point: string, branches: Readonly<Record<string, StepFunction>>, options: StepOptions = {}): FlowBuilder {
    const name = this.#point('branch', point);
    const named = Object.entries(branches).map(([branch, run]) => {
      const problem = nameProblem('branch', branch);
      if (problem !== undefined) throw invalidArgument(problem);
      return { branch, scope: `${name}.${branch}`, run };
    });
    this.#draft.add({
      kind: 'branch',
      name,
      scope: this.#scope.name,
      branches: named.map(({ branch, scope }) => ({ branch, scope })),
    });
    for (const { scope, run } of named) this.#body(scope, scope, run, options, 'branch');
    return this.#opened('branch', name, point);
  }

  foreach(point: string, items: StepFunction, body: StepFunction, options: StepOptions = {}): FlowBuilder {
    const name = this.#point('foreach', point);
    this.#task({ kind: 'foreach', body: name }, name, items, options);
    this.#body(name, `${name}.each`, body, options, 'foreach');
    return this.#opened('foreach', name, point);
  }

  switch(
    point: string,
    choose: StepFunction,
    cases: Readonly<Record<string, StepFunction>>,
    options: StepOptions = {},
  ): FlowBuilder {
    const name = this.#point('switch', point);
    const named = Object.keys(cases).map((key) => ({ key, scope: `${name}.${caseName(key)}` }));
    this.#task({ kind: 'switch', cases: named }, name, choose, options);
    for (const { key, scope } of named) this.#body(scope, scope, cases[key] ?? choose, options, 'switch');
    return this.#after(name);
  }

  repeat(point: string, body: StepFunction, options: RepeatOptions<never>): FlowBuilder {
    const name = this.#point('repeat', point);
    const { until, while: goesOn, most, ...step } = options;
    if (until === undefined && goesOn === undefined && most === undefined)
      throw invalidArgument(`repeat '${name}' would never end: give it until, while or most`);
    this.#draft.add({ kind: 'repeat', name, scope: this.#scope.name, body: name, most });
    const last = this.#body(name, `${name}.round`, body, step, 'repeat');
    this.#draft.decides(last, { until, while: goesOn });
    return this.#after(name);
  }

  gang(point: string, options: GangOptions<never>, run: StepFunction): FlowBuilder {
    const name = this.#point('gang', point);
    const { size, ...step } = options;
    this.#draft.add({ kind: 'gang', name, scope: this.#scope.name, body: name, size });
    new FlowBuilder(this.#draft, { name, last: undefined, open: undefined }).#task(
      { kind: 'step' },
      `${name}.member`,
      run,
      step,
    );
    return this.#opened('gang', name, point);
  }

  join(name: string, run: StepFunction, options: Options = {}): FlowBuilder {
    const { open } = this.#scope;
    if (open === undefined)
      throw invalidArgument(`join '${name}' joins nothing: put .branch, .foreach or .gang before it`);
    this.#scope.open = undefined;
    this.#check('join', name);
    this.#task({ kind: 'join', joins: open.name }, this.#qualified(name), run, options);
    return this.#after(this.#qualified(name));
  }

  #trigger(trigger: FlowTrigger): FlowBuilder {
    this.#draft.triggers.push(trigger);
    return this;
  }

  /** A scope inside a point: a function is its one step, called `single`. Answers its last step. */
  #body(scope: string, single: string, run: StepFunction, options: StepOptions, kind: string): string {
    const start = new FlowBuilder(this.#draft, { name: scope, last: undefined, open: undefined });
    if (!isSubChain(run)) {
      start.#task({ kind: 'step' }, single, run, options);
      return single;
    }
    const end: unknown = run(start as never, undefined as never);
    if (!(end instanceof FlowBuilder) || end.#scope.name !== scope)
      throw invalidArgument(`${kind} '${scope}' must answer its own chain: (inner) => inner.step(...)`);
    if (end.#scope.open !== undefined) throw invalidArgument(unjoined(end.#scope.open));
    if (end.#scope.last === undefined) throw invalidArgument(`${kind} '${scope}' has no step: add .step(...)`);
    return end.#scope.last;
  }

  #program(name: string, kind: StepRuns['kind'], { run, files }: ProgramStep, options: StepOptions): FlowBuilder {
    this.#check(kind, name);
    this.#draft.task(
      { kind: 'step', name: this.#qualified(name), scope: this.#scope.name, runs: { kind } },
      run,
      options,
    );
    for (const file of files) this.#draft.files.add(file);
    return this.#after(this.#qualified(name));
  }

  #task(kind: TaskKind, qualified: string, run: StepFunction, options: Options): void {
    if (typeof run !== 'function') throw invalidArgument(`step '${qualified}' needs a function, got ${typeof run}`);
    this.#draft.task({ ...kind, name: qualified, scope: this.#scope.name }, run, options as never);
  }

  #point(kind: string, name: string): string {
    this.#check(kind, name);
    return this.#qualified(name);
  }

  #check(kind: string, name: string): void {
    const problem = nameProblem(kind, name);
    if (problem !== undefined) throw invalidArgument(problem);
    if (this.#scope.open !== undefined) throw invalidArgument(unjoined(this.#scope.open));
  }

  #after(last: string): FlowBuilder {
    return new FlowBuilder(this.#draft, { name: this.#scope.name, last, open: undefined });
  }

  #opened(kind: string, name: string, own: string): FlowBuilder {
    return new FlowBuilder(this.#draft, { ...this.#scope, open: { kind, name, own } });
  }

  #qualified(name: string): string {
    return this.#scope.name === '' ? name : `${this.#scope.name}.${name}`;
  }
}

type TaskKind =
  | Pick<Extract<GraphStep, { kind: 'step' }>, 'kind'>
  | Pick<Extract<GraphStep, { kind: 'join' }>, 'kind' | 'joins'>
  | Pick<Extract<GraphStep, { kind: 'foreach' }>, 'kind' | 'body'>
  | Pick<Extract<GraphStep, { kind: 'switch' }>, 'kind' | 'cases'>;

/** Keys of cases are any text; names of scopes are not. */
function caseName(key: string): string {
  return nameProblem('case', key) === undefined ? key : `case-${key.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`;
}

function unjoined({ kind, own }: NonNullable<Scope['open']>): string {
  return `${kind} '${own}' is not joined: add .join(...) directly after it`;
}
