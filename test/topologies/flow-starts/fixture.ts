import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { createTopologyDriver, type TopologyDriver } from '../../../runtime/testing/index.ts';
import type { EventData } from '../../../schemas/events.generated.ts';
import { parseFlowGraph } from '../../../schemas/flow-graph-problems.ts';
import { parseTriggers } from '../../../schemas/flow-triggers.ts';
import { matchTriggers } from '../../../schemas/trigger-match.ts';
import { flowStarts } from '../../../topologies/flow-starts.ts';

export interface Said {
  readonly topic: string;
  readonly type: string;
  readonly key: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export const bundleHash = 'b'.repeat(64);

/** The fold of one flow, driven by hand. What it says to other flows of its topic is piped back, as on the log. */
export class Flows {
  readonly driver: TopologyDriver<'starts'>;
  #requests = 0;
  readonly said: Said[] = [];

  private constructor(driver: TopologyDriver<'starts'>) {
    this.driver = driver;
  }

  static async open(startMs?: number): Promise<Flows> {
    return new Flows(await createTopologyDriver(flowStarts, startMs === undefined ? {} : { startMs }));
  }

  /** Says it again, as another process of the same state. */
  async reopen(): Promise<Flows> {
    const other = new Flows(await createTopologyDriver(flowStarts, { snapshot: this.driver.snapshot() }));
    other.#requests = this.#requests;
    return other;
  }

  pipe<E extends keyof EventData['starts']>(type: E, data: EventData['starts'][E]): readonly Said[] {
    this.driver.pipe({ type, key: data.flow, data });
    return this.#take();
  }

  advance(byMs: number): readonly Said[] {
    this.driver.advance(byMs);
    return this.#take();
  }

  deploy(chain: unknown, more: Partial<EventData['starts']['flow-deploy-requested']> = {}): readonly Said[] {
    const { name, graph, triggers, policy } = chain as FlowCode;
    return this.pipe('flow-deploy-requested', {
      flow: name,
      requestId: `deploy-${this.#requests++}`,
      bundleHash,
      graph: JSON.stringify(graph),
      triggers: JSON.stringify(triggers),
      policy: JSON.stringify(policy),
      authorize: '',
      newToken: false,
      actor: 'ada',
      ...more,
    });
  }

  start(flow: string, more: Partial<EventData['starts']['start-requested']> = {}): readonly Said[] {
    const requestId = more.requestId ?? `start-${this.#requests++}`;
    const cause = { kind: 'manual', id: requestId, position: null };
    const base = { flow, requestId, bundleHash: null, graph: null, parameters: '{}', cause, actor: 'ada', tags: [] };
    return this.pipe('start-requested', { ...base, ...more });
  }

  control(flow: string, action: string): readonly Said[] {
    const requestId = `control-${this.#requests++}`;
    return this.pipe('flow-control-requested', { flow, requestId, action, reason: 'because', actor: 'ada' });
  }

  /** An event as the trigger matcher admits it: matched against the row that was said last. */
  event(
    flow: string,
    name: string,
    eventId: string,
    payload: Readonly<Record<string, unknown>> = {},
    attributes: Readonly<Record<string, string>> = {},
  ): readonly Said[] {
    const row = this.said.filter(({ type, key }) => type === 'flow-row' && key === flow).at(-1)?.data;
    if (row === undefined) throw new Error(`flow ${flow} was not deployed`);
    const graph = parseFlowGraph(String(row['graph']));
    const names = Object.keys(graph.problems === undefined ? graph.graph.parameters : {});
    const verdict = matchTriggers(parseTriggers(String(row['triggers'])), flow, names, { name, attributes, payload });
    const matches = verdict.matches.map(({ members, ...match }) => ({
      ...match,
      members: members.map(({ index, parameters }) => ({ index, parameters: JSON.stringify(parameters) })),
    }));
    const place = { source: null, chain: [], actor: 'warehouse', kind: 'event' };
    const version = Number(row['version']);
    return this.pipe('event-arrived', { flow, version, eventId, requestId: eventId, name, matches, ...place });
  }

  end(flow: string, runId: unknown, outcome = 'completed'): readonly Said[] {
    const { nowMs } = this.driver;
    const data = { flow, runId: String(runId), outcome, message: '', startedAt: nowMs, endedAt: nowMs };
    return this.pipe('run-ended', data);
  }

  slots(flow: string, times: readonly number[], more = false, schedule = 'schedule'): readonly Said[] {
    const slots = times.map((atMs) => ({ atMs, local: new Date(atMs).toISOString() }));
    return this.pipe('slots-due', { flow, schedule, slots, more });
  }

  #take(): readonly Said[] {
    const all: Said[] = [];
    const letters = this.driver.takeDeadLetters();
    if (letters.length > 0) throw new Error(`a dead letter: ${JSON.stringify(letters[0]?.headers)}`);
    for (let outputs = this.driver.takeOutputs(); outputs.length > 0; outputs = this.driver.takeOutputs()) {
      for (const output of outputs) {
        all.push(output as unknown as Said);
        if (output.topic === 'starts') this.driver.pipe({ type: output.type, key: output.key, data: output.data });
      }
    }
    this.said.push(...all);
    return all;
  }
}

/** Facts of one kind, their data alone. */
export function only(said: readonly Said[], type: string): readonly Readonly<Record<string, unknown>>[] {
  return said.filter((one) => one.type === type).map(({ data }) => data);
}

/** Outcomes of events by id, the last one of each. */
export function outcomes(said: readonly Said[]): Record<string, string> {
  return Object.fromEntries(
    only(said, 'event-judged').map(({ eventId, outcome }) => [String(eventId), String(outcome)]),
  );
}

export const runIds = (said: readonly Said[]): string[] =>
  only(said, 'run-requested').map(({ runId }) => String(runId));
