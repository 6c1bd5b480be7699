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

/** Flows by the events that they wait for, so that an event costs only the flows that it concerns. */
export class WaitingFlows {
  #byEvent = new Map<string, WaitingFlow[]>();
  #of = '';

  /** Takes the rows as they are now; cheap when none has changed. */
  update(rows: readonly FlowRow[]): void {
    const of = rows.map(({ flow, version }) => `${flow} ${version}`).join('\n');
    if (of === this.#of) return;
    this.#of = of;
    this.#byEvent = new Map();
    for (const row of rows) {
      const triggers = parseTriggers(row.triggers);
      const parsed = parseFlowGraph(row.graph);
      const parameterNames = parsed.problems === undefined ? Object.keys(parsed.graph.parameters) : [];
      for (const event of awaited(triggers, row.flow).events) {
        const flows = this.#byEvent.get(event) ?? [];
        this.#byEvent.set(event, flows);
        flows.push({ row, triggers, parameterNames });
      }
    }
  }

  /** Flows with a trigger for events of that name. */
  of(event: string): readonly WaitingFlow[] {
    return this.#byEvent.get(event) ?? [];
  }
}
