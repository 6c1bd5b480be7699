import {
  type FlowGraph,
  flowDefaults,
  flowGraphProblems,
  type GraphStep,
  nameProblem,
  type StepRuns,
} from '../../schemas/flow-graph.ts';
import type { ParameterSpec } from '../../schemas/flow-parameters.ts';
import { type FlowPolicy, policyProblems } from '../../schemas/flow-policy.ts';
import type { FlowTrigger } from '../../schemas/flow-triggers.ts';
import { triggerProblems } from '../../schemas/trigger-problems.ts';
import type { FlowCode, StepCall, StepResult } from '../../runtime/ports/flow-code.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { Leavings } from './artifact-kinds.ts';
import type { FlowHead } from './chain.ts';
import { commandStep, type ProgramStep, pythonStep } from './program.ts';
import type { Command, PythonProgram } from './program-types.ts';
import { isSubChain } from './sub-chain.ts';
import { runStep, type StepFunction } from './run-step.ts';
import {
  buildEventTrigger,
  buildFinishTrigger,
  buildGroupTrigger,
  buildScheduleTrigger,
  type OnAll,
  type OnAny,
  type OnEventOptions,
  type OnFinishOptions,
  type ScheduleOptions,
} from './triggers.ts';
import type { FlowOptions, Nothing, ParameterOptions, StepOptions } from './types.ts';

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
  if (problem !== undefined) throw invalid(problem);
  return new FlowBuilder(new FlowDraft(name, options), rootScope);
}

/** What all chains of one flow write to. */
class FlowDraft {
  readonly name: string;
  readonly options: FlowOptions;
  readonly parameters: Record<string, ParameterSpec> = {};
  readonly triggers: FlowTrigger[] = [];
  readonly steps: GraphStep[] = [];
  readonly functions = new Map<string, StepFunction>();
  readonly files = new Set<string>();

  constructor(name: string, options: FlowOptions) {
    this.name = name;
    this.options = options;
  }
}

interface Scope {
  readonly name: string;
  /** Step that the next one comes after. */
  last: string | undefined;
  /** Branches that wait for their join. */
  open: OpenBranches | undefined;
}

interface OpenBranches {
  readonly point: string;
  readonly scopes: readonly { readonly branch: string; readonly scope: string; readonly last: string }[];
}

const rootScope: Scope = { name: '', last: undefined, open: undefined };

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

  get last(): string | undefined {
    return this.#scope.last;
  }

  /** The whole flow, checked. */
  get graph(): FlowGraph {
    const { name, parameters, steps, options, triggers } = this.#draft;
    if (this.#scope.open !== undefined) throw invalid(unjoined(this.#scope.open));
    const { leaseMs, startMs } = { ...flowDefaults, ...options };
    const graph: FlowGraph = { format: 1, name, parameters, steps, leaseMs, startMs };
    const problems = [
      ...flowGraphProblems(graph),
      ...triggerProblems(triggers, Object.keys(parameters)),
      ...policyProblems(this.policy),
    ];
    if (problems.length > 0) throw invalid(`flow '${name}': ${problems.join('; ')}`);
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
    const run = this.#draft.functions.get(call.step);
    if (run === undefined) throw invalid(`flow '${this.name}' has no step '${call.step}'`);
    return runStep(run, call);
  }

  parameter(name: string, options: ParameterOptions): FlowBuilder {
    if (Object.hasOwn(this.#draft.parameters, name)) throw invalid(`parameter '${name}' is declared twice: remove one`);
    this.#draft.parameters[name] = { ...options, required: options.required ?? false };
    return this;
  }

  on(event: string | OnAll<unknown> | OnAny<unknown>, options: OnEventOptions<unknown> = {}): FlowBuilder {
    return this.#trigger(typeof event === 'string' ? buildEventTrigger(event, options) : buildGroupTrigger(event));
  }

  onFinish(flow: string, options: OnFinishOptions<unknown> = {}): FlowBuilder {
    return this.#trigger(buildFinishTrigger(flow, options));
  }

  schedule(options: ScheduleOptions<unknown>): FlowBuilder {
    return this.#trigger(buildScheduleTrigger(options));
  }

  step(name: string, run: StepFunction, options: StepOptions = {}): FlowBuilder {
    this.#add(name, this.#qualified(name), run, options, this.#scope.last === undefined ? [] : [this.#scope.last]);
    return this.#after(this.#qualified(name));
  }

  command(name: string, command: Command<never, never, Leavings>, options: StepOptions = {}): FlowBuilder {
    return this.#program(name, 'command', commandStep(this.#qualified(name), command), options);
  }

  python(name: string, python: PythonProgram<never, never, Leavings>, options: StepOptions = {}): FlowBuilder {
    return this.#program(name, 'python', pythonStep(this.#qualified(name), python), options);
  }

  branch(point: string, branches: Readonly<Record<string, StepFunction>>, options: StepOptions = {}): FlowBuilder {
    this.#check('branch', point);
    const scopes = Object.entries(branches).map(([branch, run]) => {
      const problem = nameProblem('branch', branch);
      if (problem !== undefined) throw invalid(problem);
      return this.#branch(`${this.#qualified(point)}.${branch}`, branch, run, options);
    });
    if (scopes.length === 0) throw invalid(`branch '${point}' has no branches: give at least one`);
    return new FlowBuilder(this.#draft, { ...this.#scope, open: { point, scopes } });
  }

  join(name: string, run: StepFunction, options: StepOptions = {}): FlowBuilder {
    const { open } = this.#scope;
    if (open === undefined) throw invalid(`join '${name}' joins nothing: put .branch(...) before it`);
    const after = open.scopes.map(({ last }) => last);
    this.#scope.open = undefined;
    this.#add(name, this.#qualified(name), run, options, after, {
      joins: open.scopes.map(({ branch, scope }) => ({ branch, scope })),
    });
    return this.#after(this.#qualified(name));
  }

  #trigger(trigger: FlowTrigger): FlowBuilder {
    this.#draft.triggers.push(trigger);
    return this;
  }

  #branch(scope: string, branch: string, run: StepFunction, options: StepOptions): OpenBranches['scopes'][number] {
    const start = new FlowBuilder(this.#draft, { name: scope, last: this.#scope.last, open: undefined });
    if (!isSubChain(run)) {
      start.#add(branch, scope, run, options, this.#scope.last === undefined ? [] : [this.#scope.last]);
      return { branch, scope, last: scope };
    }
    const end: unknown = run(start as never, undefined as never);
    if (!(end instanceof FlowBuilder) || end.#scope.name !== scope)
      throw invalid(`branch '${scope}' must answer its own chain: (branch) => branch.step(...)`);
    if (end.#scope.open !== undefined) throw invalid(unjoined(end.#scope.open));
    if (end.last === undefined || end.last === this.#scope.last)
      throw invalid(`branch '${scope}' has no step: add .step(...)`);
    return { branch, scope, last: end.last };
  }

  #program(name: string, kind: StepRuns['kind'], { run, files }: ProgramStep, options: StepOptions): FlowBuilder {
    const after = this.#scope.last === undefined ? [] : [this.#scope.last];
    this.#add(name, this.#qualified(name), run, options, after, undefined, { kind });
    for (const file of files) this.#draft.files.add(file);
    return this.#after(this.#qualified(name));
  }

  #add(
    name: string,
    qualified: string,
    run: StepFunction,
    options: StepOptions,
    after: readonly string[],
    join?: Pick<GraphStep & { kind: 'join' }, 'joins'>,
    runs?: StepRuns,
  ): void {
    this.#check(join === undefined ? 'step' : 'join', name);
    if (typeof run !== 'function') throw invalid(`step '${qualified}' needs a function, got ${typeof run}`);
    if (this.#draft.functions.has(qualified))
      throw invalid(`flow '${this.name}' has two steps called '${qualified}': rename one of them`);
    const { retry = flowDefaults.retry, timeoutMs = flowDefaults.timeoutMs } = options;
    const base = {
      name: qualified,
      scope: this.#scope.name,
      after,
      retry: typeof retry === 'number' ? { times: retry, backoffMs: 0 } : { backoffMs: 0, ...retry },
      timeoutMs,
      ...(runs === undefined ? {} : { runs }),
    };
    this.#draft.functions.set(qualified, run);
    this.#draft.steps.push(join === undefined ? { kind: 'step', ...base } : { kind: 'join', ...base, ...join });
  }

  #check(kind: string, name: string): void {
    const problem = nameProblem(kind, name);
    if (problem !== undefined) throw invalid(problem);
    if (this.#scope.open !== undefined) throw invalid(unjoined(this.#scope.open));
  }

  #after(last: string): FlowBuilder {
    return new FlowBuilder(this.#draft, { name: this.#scope.name, last, open: undefined });
  }

  #qualified(name: string): string {
    return this.#scope.name === '' ? name : `${this.#scope.name}.${name}`;
  }
}

function unjoined({ point }: OpenBranches): string {
  return `branch '${point}' is not joined: add .join(...) directly after it`;
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}
