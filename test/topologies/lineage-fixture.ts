/** A run with a retry, a zombie, a wide foreach and a failure, told by hand: what OpenLineage hears of it. */
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { Artifact, EventData } from '../../schemas/events.ts';
import { lineage } from '../../topologies/lineage.ts';
import type { RunEvent } from '../../topologies/lineage/open-lineage.ts';
import { artifact } from './run-progress-fixture.ts';

type Facts = EventData['runs'];
type Name = keyof Facts & string;

export class ToldRuns {
  readonly #driver: TopologyDriver<'runs'>;
  readonly runId: string;

  constructor(driver: TopologyDriver<'runs'>, runId: string) {
    this.#driver = driver;
    this.runId = runId;
  }

  static async open(runId = '0193'.padEnd(32, '0')): Promise<ToldRuns> {
    return new ToldRuns(await createTopologyDriver(lineage), runId);
  }

  say<E extends Name>(type: E, data: Omit<Facts[E], 'runId'>): readonly RunEvent[] {
    this.#driver.pipe({ type, key: this.runId, data: { runId: this.runId, ...data } as Facts[E] });
    this.#driver.advance(1_000);
    return this.#driver
      .takeOutputs()
      .map(({ data: said }) => JSON.parse((said as EventData['lineage']['lineage-told']).event) as RunEvent);
  }

  request(changed: Partial<Facts['run-requested']> = {}): readonly RunEvent[] {
    return this.say('run-requested', {
      flow: 'tested',
      version: 3,
      bundleHash: 'b'.repeat(64),
      graph: '{}',
      parameters: '{}',
      tags: [],
      systemTags: [],
      cause: { kind: 'manual', id: 'request-1', position: null },
      actor: 'ada',
      ...changed,
    });
  }

  start(taskId: string, dispatch = 1, incarnation = 'i1'): readonly RunEvent[] {
    const token = { attempt: dispatch, dispatch, incarnation };
    return this.say('task-started', { taskId, token, worker: `worker of ${incarnation}` });
  }

  complete(
    taskId: string,
    artifacts: readonly Artifact[],
    { dispatch = 1, incarnation = 'i1', ...more }: Completion = {},
  ): readonly RunEvent[] {
    const token = { attempt: dispatch, dispatch, incarnation };
    const worker = `worker of ${incarnation}`;
    const base = { taskId, token, worker, requests: [], userMs: 1, logs: null };
    return this.say('task-completed', { ...base, artifacts: [...artifacts], ...more });
  }

  close(taskId: string, outcome: string, more: Partial<Facts['task-closed']> = {}): readonly RunEvent[] {
    const closed = { taskId, attempt: 1, dispatch: 1, worker: 'worker of i1', kind: null, message: '' };
    return this.say('task-closed', { ...closed, outcome, ...more });
  }

  /** Start, completion and acceptance. */
  run(taskId: string, artifacts: readonly Artifact[], more: Completion = {}): readonly RunEvent[] {
    this.start(taskId);
    this.complete(taskId, artifacts, more);
    return this.close(taskId, 'completed');
  }

  stateKeys(): readonly string[] {
    return this.#driver.stateKeys();
  }

  counters(): Readonly<Record<string, number>> {
    return this.#driver.counters();
  }
}

export interface Completion extends Partial<Pick<Facts['task-completed'], 'inputs' | 'requests'>> {
  readonly dispatch?: number;
  readonly incarnation?: string;
}

/** Every kind of event that there is, with every facet. */
export async function everyEvent(): Promise<readonly RunEvent[]> {
  const told = await ToldRuns.open();
  const rows = artifact('rows');
  const model = artifact('model');
  const body = JSON.stringify({ model: 'wine', artifact: { ...model, name: 'wine' } });
  const events = [
    ...told.request({ slotMs: 1_700_000_000_000, systemTags: ['project:wine', 'project_branch:prod'] }),
    ...told.run('load', [rows]),
    ...told.run('train.left', [model], { inputs: [rows], requests: [{ kind: 'register-model', body }] }),
    ...told.close('train.right', 'cancelled', { message: 'the run failed' }),
    ...told.close('choose', 'lost', { kind: 'lost', message: 'its worker fell silent', worker: null }),
    ...told.say('run-failed', {
      flow: 'tested',
      startedAt: 0,
      taskId: 'choose',
      step: 'choose',
      kind: 'lost',
      message: 'its worker fell silent',
    }),
    ...told.request({ resume: { runId: told.runId, from: null } }),
    ...told.say('run-completed', { flow: 'tested', tasks: 2, startedAt: 0, artifacts: [model] }),
    ...told.request(),
    ...told.say('run-cancelled', { flow: 'tested', startedAt: 0, actor: 'ada', reason: 'not needed' }),
  ];
  return events;
}
