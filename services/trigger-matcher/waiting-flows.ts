import type { FlowRow } from '../../schemas/events.ts';
import { parseFlowGraph } from '../../schemas/flow-graph-problems.ts';
import { type FlowTrigger, parseTriggers } from '../../schemas/flow-triggers.ts';
import { awaited } from '../../schemas/trigger-match.ts';

/** A deployed flow, read once per version. */
export interface WaitingFlow {
  readonly row: FlowRow;
  readonly triggers: readonly FlowTrigger[];
  readonly parameterNames: readonly string[];
}

/** Flows by the events and alerts that they wait for, so that an event costs only the flows that it concerns. */
export class WaitingFlows {
  #byEvent = new Map<string, WaitingFlow[]>();
  #byAlert = new Map<string, WaitingFlow[]>();
  #of = '';

  /** Takes the rows as they are now; cheap when none has changed. */
  update(rows: readonly FlowRow[]): void {
    const of = rows.map(({ flow, version }) => `${flow} ${version}`).join('\n');
    if (of === this.#of) return;
    this.#of = of;
    this.#byEvent = new Map();
    this.#byAlert = new Map();
    for (const row of rows) {
      const triggers = parseTriggers(row.triggers);
      const parsed = parseFlowGraph(row.graph);
      const parameterNames = parsed.problems === undefined ? Object.keys(parsed.graph.parameters) : [];
      const flow = { row, triggers, parameterNames };
      const { events, alerts } = awaited(triggers, row.flow);
      for (const event of events) listed(this.#byEvent, event).push(flow);
      for (const deployment of alerts) listed(this.#byAlert, deployment).push(flow);
    }
  }

  /** Flows with a trigger for events of that name. */
  of(event: string): readonly WaitingFlow[] {
    return this.#byEvent.get(event) ?? [];
  }

  /** Flows with a trigger for alerts of that deployment. */
  ofAlert(deployment: string): readonly WaitingFlow[] {
    return this.#byAlert.get(deployment) ?? [];
  }
}

function listed(lists: Map<string, WaitingFlow[]>, name: string): WaitingFlow[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}
