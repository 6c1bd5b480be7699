import type {
  FlowAction,
  SlotOutcome,
  TriggerExplanation,
  TriggerOutcome,
  WaitingStart,
} from '../../schemas/api/flows.ts';
import type { ProvenanceStore } from './index.ts';

type Considered = TriggerExplanation['deliveries'][number]['considered'];

/** What became of an event: each delivery with the triggers that were considered, and each trigger's last outcome. */
export async function explainEvent({ database }: ProvenanceStore, id: string): Promise<TriggerExplanation | undefined> {
  // the end of a run is an event that no publisher has sent
  const eventId = (await eventCalled(database, id)) ?? id;
  const deliveries = await database
    .selectFrom('triggers')
    .selectAll()
    .where('id', '=', eventId)
    .orderBy('time_ms')
    .execute();
  const outcomes = await database
    .selectFrom('event_outcomes')
    .selectAll()
    .where('event_id', '=', eventId)
    .orderBy('flow')
    .execute();
  if (deliveries.length === 0 && outcomes.length === 0) return undefined;
  return {
    eventId,
    name: deliveries[0]?.name ?? outcomes[0]?.name ?? '',
    deliveries: deliveries.map(({ outcome, considered, time_ms, source_topic, source_partition, source_offset }) => ({
      at: time_ms,
      outcome,
      source:
        source_topic === null
          ? null
          : { topic: source_topic, partition: source_partition ?? 0, offset: source_offset ?? 0 },
      considered: JSON.parse(considered) as Considered,
    })),
    outcomes: outcomes.map(outcomeOf),
  };
}

/** The event with this id, or the newest that its publisher calls so. */
export async function eventCalled(database: ProvenanceStore['database'], id: string): Promise<string | undefined> {
  // of longer ids so much is kept
  const kept = id.slice(0, 128);
  const triggers = database.selectFrom('triggers').select('id').limit(1);
  const own = await triggers.where('id', '=', kept).executeTakeFirst();
  const found = own ?? (await triggers.where('given_id', '=', id).orderBy('time_ms', 'desc').executeTakeFirst());
  return found?.id;
}

/** Events that wait for others, or for quiet, in this trigger of the flow. */
export async function waitingEvents(
  { database }: ProvenanceStore,
  flow: string,
  trigger: string,
): Promise<readonly TriggerOutcome[]> {
  const rows = await database
    .selectFrom('event_outcomes')
    .selectAll()
    .where('flow', '=', flow)
    .where('outcome', '=', 'waiting')
    .where('trigger', '=', trigger)
    .orderBy('time_ms')
    .limit(1_000)
    .execute();
  return rows.map(outcomeOf);
}

/** Deployments and what people did since, newest first. */
export async function flowHistory(
  { database }: ProvenanceStore,
  flow: string,
  limit: number,
): Promise<readonly FlowAction[]> {
  const rows = await database
    .selectFrom('flow_actions')
    .selectAll()
    .where('flow', '=', flow)
    .orderBy('time_ms', 'desc')
    .orderBy('offset', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ action, version, actor, detail, time_ms }) => ({
    action,
    version,
    actor,
    detail: JSON.parse(detail) as FlowAction['detail'],
    at: time_ms,
  }));
}

/** Newest first. */
export async function listSlots(
  { database }: ProvenanceStore,
  flow: string,
  limit: number,
): Promise<readonly SlotOutcome[]> {
  const rows = await database
    .selectFrom('slots')
    .selectAll()
    .where('flow', '=', flow)
    .orderBy('first_ms', 'desc')
    .orderBy('time_ms', 'desc')
    .limit(limit)
    .execute();
  return rows.map(({ schedule, first_ms, last_ms, count, backfill, outcome, reason, run_id, time_ms }) => ({
    schedule,
    firstMs: first_ms,
    lastMs: last_ms,
    count,
    backfill: backfill === '' ? null : backfill,
    outcome,
    reason,
    runId: run_id,
    at: time_ms,
  }));
}

/** Slots of a schedule whose run completed, by time. */
export async function completedSlots(
  { database }: ProvenanceStore,
  flow: string,
  schedule: string,
): Promise<readonly number[]> {
  const rows = await database
    .selectFrom('slots')
    .innerJoin('runs', 'runs.id', 'slots.run_id')
    .select('slots.first_ms')
    .where('slots.flow', '=', flow)
    .where('slots.schedule', '=', schedule)
    .where('runs.status', '=', 'completed')
    .execute();
  return rows.map(({ first_ms }) => first_ms);
}

/** Open runs of deployed versions, and starts that wait, by flow. */
export async function flowActivity({ database }: ProvenanceStore) {
  const activity = new Map<string, { running: number; waiting: number }>();
  const of = (flow: string): { running: number; waiting: number } => {
    const known = activity.get(flow) ?? { running: 0, waiting: 0 };
    activity.set(flow, known);
    return known;
  };
  const count = database.fn.countAll<number>().as('count');
  const running = await database
    .selectFrom('runs')
    .select(['flow', count])
    .where('status', '=', 'running')
    .where('version', '>', 0)
    .groupBy('flow')
    .execute();
  for (const row of running) of(row.flow).running = Number(row.count);
  for (const table of ['event_outcomes', 'slots'] as const) {
    const queued = await database
      .selectFrom(table)
      .select(['flow', count])
      .where('outcome', '=', 'queued')
      .groupBy('flow')
      .execute();
    for (const row of queued) of(row.flow).waiting += Number(row.count);
  }
  for (const { flow } of await askedAndWaiting(database).select('flow').execute()) of(flow).waiting += 1;
  return activity;
}

/** What waits until a run of the flow ends: what people asked for, then events and slots, each oldest first. */
export async function waitingStarts(
  { database }: ProvenanceStore,
  flow: string,
  limit: number,
): Promise<readonly WaitingStart[]> {
  const asked = await askedAndWaiting(database)
    .select(['request_id', 'cause_kind', 'reason', 'time_ms'])
    .where('flow', '=', flow)
    .orderBy('time_ms')
    .limit(limit)
    .execute();
  const events = await database
    .selectFrom('event_outcomes')
    .select(['event_id', 'name', 'reason', 'time_ms'])
    .where('flow', '=', flow)
    .where('outcome', '=', 'queued')
    .orderBy('time_ms')
    .limit(limit)
    .execute();
  const slots = await database
    .selectFrom('slots')
    .select(['schedule', 'first_ms', 'reason', 'time_ms'])
    .where('flow', '=', flow)
    .where('outcome', '=', 'queued')
    .orderBy('time_ms')
    .limit(limit)
    .execute();
  return [
    ...asked.map((row) => ({ ...row, what: `${row.cause_kind} ${row.request_id}` })),
    ...events.map((row) => ({ ...row, what: `event ${row.name} ${row.event_id}` })),
    ...slots.map((row) => ({ ...row, what: `slot ${new Date(row.first_ms).toISOString()} of ${row.schedule}` })),
  ]
    .map(({ what, reason, time_ms }) => ({ what, reason, since: time_ms }))
    .slice(0, limit);
}

/** Its run may be known before it is known to wait: they are on topics of their own. */
function askedAndWaiting(database: ProvenanceStore['database']) {
  return database
    .selectFrom('waiting_starts')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('runs')
            .select('runs.id')
            .whereRef('runs.cause_id', '=', 'waiting_starts.request_id')
            .whereRef('runs.flow', '=', 'waiting_starts.flow'),
        ),
      ),
    );
}

function outcomeOf(row: {
  readonly event_id: string;
  readonly flow: string;
  readonly trigger: string;
  readonly key: string;
  readonly name: string;
  readonly version: number;
  readonly outcome: string;
  readonly reason: string;
  readonly run_id: string | null;
  readonly joined_with: string;
  readonly missing: string;
  readonly until_ms: number | null;
  readonly time_ms: number;
}): TriggerOutcome {
  return {
    eventId: row.event_id,
    flow: row.flow,
    trigger: row.trigger,
    key: row.key,
    name: row.name,
    version: row.version,
    outcome: row.outcome,
    reason: row.reason,
    runId: row.run_id,
    with: JSON.parse(row.joined_with) as readonly string[],
    missing: JSON.parse(row.missing) as readonly string[],
    untilMs: row.until_ms,
    at: row.time_ms,
  };
}
