/**
 * Starts the flows that wait for a trigger. Each offset of the open topic closes by exactly one `trigger-handled`: `matched`,
 * `unmatched`, or `refused` with the reason. Stateless: a repeated trigger gives the same start requests, which are judged where starts
 * are folded.
 */
import { hash } from 'node:crypto';
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceRecord, ServiceResult } from '../../runtime/engine/service.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { PoisonError } from '../../schemas/codec/event-codec.ts';
import { type OpenTrigger, parseTrigger } from '../../schemas/codec/open-events.ts';
import type { FlowRow, Position } from '../../schemas/events.ts';
import { type FlowGraph, parseFlowGraph } from '../../schemas/flow-graph.ts';
import { type FlowTrigger, matchTrigger } from '../../schemas/flow-triggers.ts';

/** Opens the table of flows; the service reads it to its present end before each batch, so a deployed flow misses no trigger. */
export async function createTriggerMatcher(runtime: Runtime): Promise<Service<'triggers'>> {
  const flows = await runtime.openTable('flows');
  return {
    name: 'trigger-matcher',
    inputs: ['triggers'],
    outputs: ['starts', 'operations'],
    summary: 'starts the flows that wait for a trigger, and says what became of each',
    async handle(batch) {
      await flows.refresh();
      const handled: Handled[] = [];
      for (const record of batch) handled.push(handle(record, runtime, flows, await schemaError(record, runtime)));
      const of = (outcome: Handled['outcome']): number => handled.filter((one) => one.outcome === outcome).length;
      return {
        outputs: handled.flatMap(({ outputs }) => outputs),
        deadLetters: handled.flatMap(({ deadLetter }) => (deadLetter === undefined ? [] : [deadLetter])),
        count: { matched: of('matched'), unmatched: of('unmatched'), refused: of('refused') },
      };
    },
  };
}

interface Handled {
  readonly outcome: 'matched' | 'unmatched' | 'refused';
  readonly outputs: readonly IdentifiedOutput[];
  readonly deadLetter?: NonNullable<ServiceResult['deadLetters']>[number];
}

function handle({ raw }: ServiceRecord, runtime: Runtime, flows: Table<'flows'>, unknown: Error | undefined): Handled {
  const source = { topic: 'triggers', partition: raw.partition, offset: raw.offset };
  const positionId = idOf('trigger', raw.partition, raw.offset);
  try {
    if (unknown !== undefined) throw unknown;
    const trigger = parseTrigger(raw, runtime.codec);
    // An outsider's id is told apart by its source; the position names what has no id.
    const triggerId = trigger.id === undefined ? positionId : trigger.id.slice(0, 128);
    const requestId = trigger.id === undefined ? positionId : idOf('trigger', trigger.source ?? '', trigger.id);
    const starts: IdentifiedOutput[] = [];
    const missed: string[] = [];
    for (const row of flows.rows()) {
      const match = matchOf(row, trigger);
      if (match === undefined) continue;
      if (match.unmatched !== undefined) missed.push(`${row.flow}: ${match.unmatched}`);
      else starts.push(startOf(row, match.parameters, { trigger, triggerId, requestId, source }));
    }
    const matched = starts.length > 0;
    const outcome =
      matched || missed.length === 0 ? (matched ? 'matched' : 'unmatched') : `unmatched: ${missed.join('; ')}`;
    const told = handledOf(
      triggerId,
      trigger.name,
      source,
      starts.map(({ key }) => key),
      outcome,
    );
    return { outcome: matched ? 'matched' : 'unmatched', outputs: [...starts, told] };
  } catch (error) {
    const told = handledOf(positionId, '', source, [], `refused: ${messageOf(error)}`);
    return { outcome: 'refused', outputs: [told], deadLetter: { record: raw, error } };
  }
}

/** Undefined when the flow waits for other events only. */
function matchOf(row: FlowRow, trigger: OpenTrigger): ReturnType<typeof matchTrigger> | undefined {
  const triggers = (JSON.parse(row.triggers) as readonly FlowTrigger[]).filter(({ event }) => event === trigger.name);
  if (triggers.length === 0) return undefined;
  const parsed = parseFlowGraph(row.graph);
  const graph: FlowGraph | undefined = parsed.problems === undefined ? parsed.graph : undefined;
  const names = Object.keys(graph?.parameters ?? {});
  const matches = triggers.map((one) => matchTrigger(one, trigger, names));
  return matches.find(({ unmatched }) => unmatched === undefined) ?? matches[0];
}

interface From {
  readonly trigger: OpenTrigger;
  readonly triggerId: string;
  readonly requestId: string;
  readonly source: Position;
}

function startOf(row: FlowRow, parameters: Readonly<Record<string, unknown>>, from: From): IdentifiedOutput {
  const { flow, version, bundleHash, graph } = row;
  const { trigger, triggerId, requestId, source } = from;
  return {
    topic: 'starts',
    type: 'start-requested',
    key: flow,
    id: idOf('start', flow, requestId),
    data: {
      flow,
      version,
      requestId,
      bundleHash,
      graph,
      parameters: JSON.stringify(parameters),
      cause: { kind: 'trigger', id: triggerId, position: source },
      actor: trigger.source ?? 'topic triggers',
    },
  };
}

function handledOf(
  triggerId: string,
  name: string,
  source: Position,
  flows: readonly string[],
  outcome: string,
): IdentifiedOutput {
  return {
    topic: 'operations',
    type: 'trigger-handled',
    key: triggerId,
    id: idOf('handled', source.partition, source.offset),
    data: { triggerId, name, source, flows, outcome: outcome.slice(0, 1_000) },
  };
}

/** "The registry has no such schema" is a verdict on the record; "it does not answer" stops the batch. */
async function schemaError({ raw: { value } }: ServiceRecord, { codec }: Runtime): Promise<Error | undefined> {
  if (value === null || codec.isPrepared(value)) return undefined;
  try {
    await codec.prepare([value]);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'UNKNOWN_SCHEMA') || error instanceof PoisonError) return error;
    throw error;
  }
}

function idOf(...parts: readonly (string | number)[]): string {
  return hash('sha256', parts.join('\u0000'), 'hex').slice(0, 32);
}
