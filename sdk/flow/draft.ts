import { invalidArgument } from '../../runtime/ports/errors.ts';
import {
  flowDefaults,
  type FlowGraph,
  type GraphStep,
  isTask,
  type Memoised,
  type TaskSettings,
  type TaskStep,
} from '../../schemas/flow-graph.ts';
import type { ParameterSpec } from '../../schemas/flow-parameters.ts';
import type { FlowTrigger } from '../../schemas/flow-triggers.ts';
import { readConfiguration } from './configuration.ts';
import { parameterSpecs } from './parameters.ts';
import type { Deciding, StepFunction, UserCode } from './run-step.ts';
import { durationMs } from './triggers.ts';
import type { ConfigurationOptions, FlowOptions, MemoiseOptions, ParameterOptions, StepOptions } from './types.ts';

type Options = StepOptions | ((given: { readonly configuration: Readonly<Record<string, unknown>> }) => StepOptions);
type Bare<S> = S extends TaskStep ? Omit<S, keyof TaskSettings> & Pick<TaskSettings, 'runs'> : S;

/** What all chains of one flow write to. */
export class FlowDraft {
  readonly name: string;
  readonly triggers: FlowTrigger[] = [];
  /** Files that programs need beside the bundle. */
  readonly files = new Set<string>();
  /** By step, and by `-success` and `-error` for exit hooks. */
  readonly code = new Map<string, UserCode>();
  readonly options: FlowOptions;
  readonly #steps: Bare<GraphStep>[] = [];
  readonly #settings = new Map<string, Options>();
  readonly #configuration: Record<string, ConfigurationOptions<unknown>> = {};
  readonly #parameters: Record<string, ParameterOptions> = {};
  #specs: Readonly<Record<string, ParameterSpec>> | undefined;
  #read: Readonly<Record<string, unknown>> | undefined;

  constructor(name: string, options: FlowOptions) {
    this.name = name;
    this.options = options;
  }

  add(step: Bare<GraphStep>): void {
    if (this.#steps.some(({ name }) => name === step.name))
      throw invalidArgument(`flow '${this.name}' has two steps called '${step.name}': rename one of them`);
    this.#steps.push(step);
  }

  task(step: Bare<TaskStep>, run: StepFunction, options: Options): void {
    this.add(step);
    this.#settings.set(step.name, options);
    const cases = step.kind === 'switch' ? step.cases.map(({ key }) => key) : [];
    this.code.set(step.name, { kind: step.kind, run, cases });
  }

  /** The step ends a round. */
  decides(name: string, deciding: Omit<Deciding, 'repeat'>): void {
    const at = this.#steps.findIndex((step) => step.name === name);
    const step = this.#steps[at];
    const code = this.code.get(name);
    if (step === undefined || code === undefined || (step.kind !== 'step' && step.kind !== 'join'))
      throw invalidArgument(
        `the last step of a repeat must be a step or a join, '${name}' is a ${step?.kind ?? 'nothing'}: add .step(...)`,
      );
    if (step.runs !== undefined)
      throw invalidArgument(
        `the last step of a repeat decides by what it returns, '${name}' is a program: add .step(...) behind it`,
      );
    this.#steps[at] = { ...step, decides: true };
    this.code.set(name, { ...code, deciding });
  }

  hook(when: 'success' | 'error', run: StepFunction, options: StepOptions): void {
    const name = `-${when}`;
    if (this.code.has(name)) throw invalidArgument(`flow '${this.name}' has two hooks for ${when}: make them one`);
    this.code.set(name, { kind: 'hook', run, cases: [] });
    this.#settings.set(name, options);
  }

  configure(name: string, options: ConfigurationOptions<unknown>): void {
    if (Object.hasOwn(this.#configuration, name))
      throw invalidArgument(`configuration '${name}' is declared twice: remove one`);
    this.#configuration[name] = options;
  }

  parameter(name: string, options: ParameterOptions): void {
    if (Object.hasOwn(this.#parameters, name))
      throw invalidArgument(`parameter '${name}' is declared twice: remove one`);
    this.#parameters[name] = options;
  }

  /** Files and computed defaults are read once, when the graph is first asked for. */
  graph(): FlowGraph {
    const { leaseMs, startMs } = { ...flowDefaults, ...this.options };
    const { maxWorkers, maxSplits, resumableMs } = this.options;
    const configured = Object.keys(this.#configuration).length > 0;
    this.#read ??= readConfiguration(this.#configuration);
    this.#specs ??= parameterSpecs(this.name, this.#parameters, this.#read);
    // a file that is a default travels with the flow
    for (const { type, default: value } of Object.values(this.#specs))
      if (type === 'file' && value !== undefined) this.files.add((value as { path: string }).path);
    const hooks: Record<string, TaskSettings> = {};
    for (const when of ['success', 'error'])
      if (this.code.has(`-${when}`)) hooks[when] = this.#taskSettings(`-${when}`, neverRecalled);
    return {
      format: 1,
      name: this.name,
      parameters: this.#specs,
      steps: this.#steps.map((step) => ({ ...step, ...this.#settingsOf(step) }) as GraphStep),
      leaseMs,
      startMs,
      ...(maxWorkers === undefined ? {} : { maxWorkers }),
      ...(maxSplits === undefined ? {} : { maxSplits }),
      ...(resumableMs === undefined ? {} : { resumableMs }),
      ...(configured ? { configuration: this.#read } : {}),
      ...(Object.keys(hooks).length > 0 ? { hooks } : {}),
    };
  }

  #settingsOf(step: Bare<GraphStep>): TaskSettings | undefined {
    const inGang = this.#steps.some(({ kind, name }) => kind === 'gang' && name === step.scope);
    return isTask(step as GraphStep) ? this.#taskSettings(step.name, inGang ? neverRecalled : {}) : undefined;
  }

  #taskSettings(name: string, always: Pick<StepOptions, 'memoise'> = {}): TaskSettings {
    const declared = this.#settings.get(name) ?? {};
    const own = typeof declared === 'function' ? declared({ configuration: this.#read ?? {} }) : declared;
    const {
      retry,
      timeoutMs = flowDefaults.timeoutMs,
      memoise,
      ...rest
    } = { ...this.options.steps, ...own, ...always };
    const policy = typeof retry === 'number' ? { times: retry } : retry;
    return {
      timeoutMs,
      ...(policy === undefined ? {} : { retry: { backoffMs: 0, ...policy } }),
      ...(memoise === undefined || memoise === false ? {} : { memoise: memoise === true ? {} : memoised(memoise) }),
      ...known(rest),
    };
  }
}

const otherSettings = ['catch', 'resources', 'compute', 'image', 'environment', 'secrets', 'keepCheckpoints'] as const;

/** Hooks and members of a gang run each time. */
const neverRecalled = { memoise: false } as const;

function memoised({ for: longest, window, key, ...unknown }: MemoiseOptions): Memoised {
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalidArgument(`memoise has no option '${name}'; options are for, window and key`);
  return {
    ...(longest === undefined ? {} : { forMs: durationMs('memoise.for', longest) }),
    ...(window === undefined ? {} : { windowMs: durationMs('memoise.window', window) }),
    ...(key === undefined ? {} : { key }),
  };
}

/** A misspelt option has no effect, so it is refused. */
function known(options: object): Partial<TaskSettings> {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !otherSettings.includes(name as never))
      throw invalidArgument(
        `there is no step option '${name}'; options are retry, timeoutMs, memoise, ${otherSettings.join(', ')}`,
      );
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
