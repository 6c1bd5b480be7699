import type { FlowCode } from '../../runtime/ports/flow-code.ts';
import { createTopologyDriver, type DriverOutput, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { Artifact, EventData, TaskDispatched, Token } from '../../schemas/events.ts';
import { derivedIdBeside } from '../../schemas/derived-ids.ts';
import { topics } from '../../schemas/topics.ts';
import { flow } from '../../sdk/index.ts';
import { runProgress } from '../../topologies/run-progress.ts';

export const runId = '0193'.padEnd(32, '0');

/** Of a run that may resume another: its records lie on the same partition. */
export const idBeside = (name: string): string => derivedIdBeside(runId, topics.runs.partitions, 0, name);

/** After so long nothing is kept of a run that is over. */
const resumableMs = 14 * 86_400_000;

const toItself: ReadonlySet<string> = new Set([
  'walk-resumed',
  'phase-lapsed',
  'run-swept',
  'task-recalled',
  'run-forgotten',
  'run-tags-requested',
]);

/** Plays the worker and the clock around one run. */
export class RunDriver {
  readonly driver: TopologyDriver<'runs'>;
  readonly outputs: DriverOutput[] = [];
  readonly #closed: DriverOutput[] = [];
  readonly runId: string;

  constructor(driver: TopologyDriver<'runs'>, id = runId) {
    this.driver = driver;
    this.runId = id;
  }

  static async open(chain: unknown, parameters: object = {}): Promise<RunDriver> {
    const run = new RunDriver(await createTopologyDriver(runProgress));
    run.request((chain as FlowCode).graph, parameters);
    return run;
  }

  /** A run that resumes this one; in place it is this one. Without a chain it has its code. */
  resume(id: string, options: { readonly from?: string; readonly chain?: unknown } = {}): RunDriver {
    const run = id === this.runId ? this : new RunDriver(this.driver, id);
    const { from = null, chain } = options;
    run.request((chain as FlowCode | undefined)?.graph, {}, { runId: this.runId, from });
    return run;
  }

  request(
    graph: unknown,
    parameters: object = {},
    resume: EventData['runs']['run-requested']['resume'] = null,
    changed: Partial<EventData['runs']['run-requested']> = {},
  ): void {
    const data = {
      runId: this.runId,
      resume,
      flow: 'tested',
      version: 1,
      bundleHash: 'b'.repeat(64),
      graph: graph === undefined ? '' : JSON.stringify(graph),
      parameters: JSON.stringify(parameters),
      tags: [],
      systemTags: [],
      cause: { kind: 'manual', id: 'request-1', position: null },
      actor: 'ada',
      ...changed,
    };
    this.pipe('run-requested', data);
  }

  pipe<E extends keyof EventData['runs'] & string>(
    type: E,
    data: EventData['runs'][E],
    timeMs?: number,
  ): DriverOutput[] {
    this.driver.pipe({ type, data, key: this.runId, ...(timeMs === undefined ? {} : { timeMs }) });
    return this.take();
  }

  advance(ms: number): DriverOutput[] {
    this.driver.advance(ms);
    return this.take();
  }

  /** All that was said to workers and about the run, also in answer to what the topology said to itself: that comes back as on the log. */
  take(): DriverOutput[] {
    const all: DriverOutput[] = [];
    for (let said = this.driver.takeOutputs(); said.length > 0; said = this.driver.takeOutputs()) {
      this.#closed.push(...said.filter(({ type }) => type === 'task-closed'));
      all.push(...said.filter(({ type }) => !toItself.has(type) && type !== 'task-closed'));
      for (const output of said) if (output.topic === 'runs') this.driver.pipe(output);
    }
    this.outputs.push(...all);
    return all;
  }

  /** What became of tasks, in the order in which that was said: `one completed`. */
  closed(): string[] {
    return this.#closed.map(({ data }) => {
      const { taskId, outcome } = data as EventData['runs']['task-closed'];
      return `${taskId} ${outcome}`;
    });
  }

  /** What was said of one kind, those that others do not see included. */
  said<E extends 'task-closed'>(_type: E): readonly EventData['runs'][E][] {
    return this.#closed.map(({ data }) => data as EventData['runs'][E]);
  }

  /** The newest dispatch of a task. */
  dispatched(taskId: string): TaskDispatched & { readonly partition: number } {
    const found = this.outputs.filter(({ type, data }) => type === 'task-dispatched' && data.taskId === taskId).at(-1);
    if (found === undefined) throw new Error(`${taskId} was never dispatched`);
    return { ...(found.data as TaskDispatched), partition: found.partition };
  }

  token(taskId: string, incarnation = 'i1'): Token {
    const { attempt, dispatch } = this.dispatched(taskId);
    return { attempt, dispatch, incarnation };
  }

  start(taskId: string, incarnation = 'i1', token = this.token(taskId, incarnation)): DriverOutput[] {
    return this.pipe('task-started', { runId: this.runId, taskId, token, worker: `worker of ${incarnation}` });
  }

  beat(taskId: string, incarnation = 'i1', token = this.token(taskId, incarnation)): DriverOutput[] {
    return this.pipe('task-heartbeat', {
      runId: this.runId,
      tasks: [{ taskId, token }],
      worker: `worker of ${incarnation}`,
    });
  }

  complete(taskId: string, more: Partial<EventData['runs']['task-completed']> = {}): DriverOutput[] {
    const token = this.token(taskId);
    return this.pipe('task-completed', {
      runId: this.runId,
      taskId,
      token,
      worker: 'worker of i1',
      artifacts: [],
      requests: [],
      userMs: 1,
      logs: null,
      ...more,
    });
  }

  fail(taskId: string, more: Partial<EventData['runs']['task-failed']> = {}): DriverOutput[] {
    const token = this.token(taskId);
    return this.pipe('task-failed', {
      runId: this.runId,
      taskId,
      token,
      worker: 'worker of i1',
      kind: 'user',
      message: 'it broke',
      stack: '',
      logs: null,
      ...more,
    });
  }

  /** Start and completion. */
  run(taskId: string, artifacts: readonly Artifact[] = []): DriverOutput[] {
    this.start(taskId);
    return this.complete(taskId, { artifacts });
  }

  /** What is left of runs that are over when they can be resumed no more. */
  left(): string[] {
    this.advance(resumableMs);
    return this.driver.stateKeys();
  }

  types(): string[] {
    return this.outputs.map(({ type }) => type);
  }
}

export function artifact(name: string, text = name): Artifact {
  const hash = Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64);
  return { name, hash, sizeBytes: 1, codec: 'json', inline: text.startsWith('inline') ? Buffer.from(text) : null };
}

export const linear = (options: { retry?: number | { times: number; backoffMs: number } } = {}): unknown =>
  flow('tested')
    .step('one', () => ({}), options)
    .step('two', () => ({}), options);

export const forked = (): unknown =>
  flow('tested')
    .step('load', () => ({ rows: 1 }))
    .branch('train', {
      left: () => ({ l: 1 }),
      right: (branch) => branch.step('grow', () => ({ g: 1 })).step('prune', () => ({ p: 1 })),
    })
    .join('choose', () => ({ best: 1 }))
    .step('register', () => ({}));
