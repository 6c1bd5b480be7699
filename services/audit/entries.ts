/** The audited topics as one list in the order of time: who did what, what was decided, and what was predicted. */
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import type { AuditEntry } from '../../schemas/api/audit.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { auditedTopics } from '../../schemas/topics.ts';
import { isTick } from '../../topologies/audit-chain.ts';

export type AuditedTopic = (typeof auditedTopics)[number];

export interface AuditFilter {
  /** @default all audited topics */
  readonly topics?: readonly AuditedTopic[] | undefined;
  /** Appended at or after, milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Appended before. */
  readonly until?: number | undefined;
  readonly actor?: string | undefined;
}

/** What of a topic's records cannot be read is an entry of type `unreadable` that says why. */
export async function* auditEntries(runtime: Runtime, filter: AuditFilter = {}): AsyncGenerator<AuditEntry> {
  const { topics = auditedTopics, since = 0, until = Number.POSITIVE_INFINITY, actor } = filter;
  const sources = topics.flatMap((topic) =>
    Array.from({ length: runtime.partitions(topic) }, (_, partition) => entriesOf(runtime, topic, partition, since)),
  );
  const heads = await Promise.all(sources.map(async (source) => ({ source, next: await source.next() })));
  for (;;) {
    const open = heads.filter(({ next }) => next.done !== true);
    const first = open.reduce<(typeof heads)[number] | undefined>(
      (least, head) => (least === undefined || at(head) < at(least) ? head : least),
      undefined,
    );
    if (first === undefined || first.next.done === true) return;
    const entry = first.next.value;
    if (entry.at < until && (actor === undefined || entry.actor === actor)) yield entry;
    first.next = entry.at < until ? await first.source.next() : { done: true, value: undefined };
  }
}

const at = ({ next }: { readonly next: IteratorResult<AuditEntry, void> }): number =>
  next.done === true ? Number.POSITIVE_INFINITY : next.value.at;

async function* entriesOf(
  runtime: Runtime,
  topic: AuditedTopic,
  partition: number,
  since: number,
): AsyncGenerator<AuditEntry, void> {
  const place = { topic: runtime.topic(topic), partition };
  const to = (await runtime.parts.log.endOffsets(place.topic))[partition] ?? 0;
  const from = (await runtime.parts.log.startOffsets(place.topic))[partition] ?? 0;
  for await (const batch of runtime.parts.log.read(place, { from, to }))
    for (const record of batch)
      if (record.timestampMs >= since && !tick(record)) yield await entryOf(runtime, topic, record);
}

async function entryOf(runtime: Runtime, topic: AuditedTopic, record: LogRecord): Promise<AuditEntry> {
  const { partition, offset, timestampMs } = record;
  const place = { topic, partition, offset, at: timestampMs };
  try {
    const { id, type, key, data }: FollowedEvent<EventTopic> = await runtime.decode(topic, record);
    return { ...place, id, type, actor: (data as { actor?: string }).actor ?? '', key, data };
  } catch (error) {
    const data = { message: messageOf(error) };
    return { ...place, id: '', type: 'unreadable', actor: '', key: record.key?.toString('utf8') ?? '', data };
  }
}

const tick = ({ topic, partition, offset, timestampMs, key, value, headers }: LogRecord): boolean =>
  isTick({ topic, partition, offset, timeMs: timestampMs, keyBytes: key, valueBytes: value, headers });
