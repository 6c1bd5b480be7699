/**
 * Starts the flows that wait for a trigger. Each record of the open topic `triggers` becomes one `start-requested` per matching flow and
 * exactly one `trigger-handled` that says what became of it.
 */
import { createHash } from 'node:crypto';
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceRecord } from '../../runtime/engine/service.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { PoisonError } from '../../schemas/codec/event-codec.ts';
import { type OpenTrigger, parseTrigger } from '../../schemas/codec/open-events.ts';
import type { FlowRow, Position } from '../../schemas/events.ts';
import { type FlowTrigger, matchTrigger } from '../../schemas/flow-triggers.ts';

/** Opens the table of flows; it closes with the runtime. */
export async function createTriggerMatcher(runtime: Runtime): Promise<Service<'triggers'>> {
  const flows = await runtime.openTable('flows');
  return {
    name: 'trigger-matcher',
    inputs: ['triggers'],
    outputs: ['starts', 'operations'],
    summary: 'starts the flows that wait for a trigger',
    async handle(batch) {
      // A flow that was deployed before the trigger was written must be seen.
      await flows.refresh();
      const handled: Handled[] = [];
      for (const record of batch) handled.push(await handleTrigger(record, runtime, flows));
      return {
        outputs: handled.flatMap(({ outputs }) => outputs),
        deadLetters: handled.flatMap(({ poison }, index) => {
          const record = batch[index]?.raw;
          return poison === undefined || record === undefined ? [] : [{ record, error: poison }];
        }),
        count: {
          triggersMatched: handled.filter(({ outcome }) => outcome === 'matched').length,
          triggersUnmatched: handled.filter(({ outcome }) => outcome === 'unmatched').length,
          triggersRefused: handled.filter(({ outcome }) => outcome === 'refused').length,
        },
      };
    },
  };
}

interface Handled {
  readonly outcome: 'matched' | 'unmatched' | 'refused';
  readonly outputs: readonly IdentifiedOutput[];
  readonly poison?: unknown;
}

async function handleTrigger({ raw }: ServiceRecord, runtime: Runtime, flows: Table<'flows'>): Promise<Handled> {
  const source = { topic: 'triggers', partition: raw.partition, offset: raw.offset };
  let trigger: OpenTrigger;
  try {
    await prepare(raw.value, runtime);
    trigger = parseTrigger(raw, runtime.codec);
  } catch (error) {
    if (!(error instanceof PoisonError) && !hasCode(error, 'UNKNOWN_SCHEMA')) throw error;
    const triggerId = idOf('position', `triggers@${raw.partition}@${raw.offset}`);
    return {
      outcome: 'refused',
      outputs: [outcomeOf(triggerId, '', source, [], `refused: ${messageOf(error)}`)],
      poison: error,
    };
  }
  const unique =
    trigger.id === undefined
      ? ['position', `triggers@${raw.partition}@${raw.offset}`]
      : ['client', trigger.source ?? '', trigger.id];
  const triggerId = idOf(...unique);
  const starts = flows.rows().flatMap((row) => startOf(row, trigger, triggerId, source));
  const names = starts.map(({ key }) => key);
  const outcome = starts.length > 0 ? 'matched' : 'unmatched';
  return { outcome, outputs: [...starts, outcomeOf(triggerId, trigger.name, source, names, outcome)] };
}

/** The first trigger of the flow that matches. */
function startOf(row: FlowRow, trigger: OpenTrigger, triggerId: string, source: Position): IdentifiedOutput[] {
  const { flow, version, bundleHash, graph } = row;
  const names = Object.keys((JSON.parse(graph) as { parameters?: object }).parameters ?? {});
  for (const wanted of JSON.parse(row.triggers) as readonly FlowTrigger[]) {
    const match = matchTrigger(wanted, trigger, names);
    if (match.unmatched !== undefined) continue;
    const requestId = idOf('start', flow, triggerId);
    const cause = { kind: 'trigger', id: triggerId, position: source };
    const actor = trigger.source ?? 'topic triggers';
    const data = {
      flow,
      version,
      requestId,
      bundleHash,
      graph,
      parameters: JSON.stringify(match.parameters),
      cause,
      actor,
    };
    return [{ topic: 'starts', type: 'start-requested', key: flow, data, id: requestId }];
  }
  return [];
}

function outcomeOf(
  triggerId: string,
  name: string,
  source: Position,
  flows: readonly string[],
  outcome: string,
): IdentifiedOutput {
  const data = { triggerId, name, source, flows, outcome: outcome.slice(0, 1_000) };
  return {
    topic: 'operations',
    type: 'trigger-handled',
    key: triggerId,
    data,
    id: idOf('handled', `${source.partition}@${source.offset}`),
  };
}

async function prepare(value: Buffer | null, { codec }: Runtime): Promise<void> {
  if (value !== null && !codec.isPrepared(value)) await codec.prepare([value]);
}

function idOf(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\u0000')).digest('hex').slice(0, 32);
}
