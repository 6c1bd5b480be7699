/**
 * Hash chains over audited topics: one instance per topic, one chain per partition, every offset covered, ticks and garbage included.
 * A link is said every 64 records, or when the first record without a link is a second old. Ticks alone ask for no link: the link of an
 * idle partition would need a tick, which would need a link, for ever.
 */
import type { Effects, Output, RawInput, RawTopology } from '../runtime/engine/topology.ts';
import { auditedTopics, type TopicName } from '../schemas/topics.ts';
import { chainNext, chainStart, isTick, recordDigest } from './audit-chain.ts';

export function auditTrail(topic: TopicName): RawTopology {
  return {
    name: `audit-trail-${topic}`,
    version: 1,
    rawInput: topic,
    outputs: ['audit'],
    // a link may be a second late anyway
    lingerMs: 100,
    summary: `chains every record of ${topic} by its hash`,
    reads: () => chainReads,
    fold(record, state) {
      return chained(topic, record, state.get<Chain>(chainKey));
    },
    onTimer({ partition }, state) {
      const chain = state.get<Chain>(chainKey);
      return chain === undefined || chain.records === 0 ? {} : linked(topic, partition, chain);
    },
  };
}

/** One instance for each audited topic. */
export const auditTrails: readonly RawTopology[] = auditedTopics.map(auditTrail);

const linkRecords = 64;
const linkAgeMs = 1_000;

/** State of one partition. */
interface Chain {
  /** Digest of the last link. */
  readonly previous: string;
  /** Digest so far. */
  readonly digest: string;
  /** Records since the last link, the first and the last of them. */
  readonly records: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly timeMs: number;
  /** A timer is set. */
  readonly timed: boolean;
}

const chainKey = 'chain';
const chainReads = { keys: [chainKey] };
const timerName = 'link';

function chained(topic: TopicName, record: RawInput, before: Chain | undefined): Effects {
  const { partition, offset, timeMs } = record;
  const emit: Output[] = [];
  let chain = before;
  // Offsets that are missing (expired unread) end the link, so that the next one begins where records are.
  if (chain !== undefined && chain.records > 0 && offset !== chain.toOffset + 1) {
    emit.push(linkOf(topic, partition, chain));
    chain = restarted(chain);
  }
  const digest = chain?.digest ?? chainStart(topic, partition);
  const records = (chain?.records ?? 0) + 1;
  const asksForLink = !isTick(record);
  const next: Chain = {
    previous: chain?.previous ?? digest,
    digest: chainNext(digest, recordDigest(record)),
    records,
    fromOffset: records === 1 ? offset : (chain?.fromOffset ?? offset),
    toOffset: offset,
    timeMs,
    timed: (chain?.timed ?? false) || asksForLink,
  };
  if (records >= linkRecords) {
    const { put = [], emit: link = [], ...rest } = linked(topic, partition, next);
    return { put, emit: [...emit, ...link], ...rest };
  }
  const starts = next.timed && chain?.timed !== true;
  return {
    put: [[chainKey, next]],
    ...(starts ? { setTimers: [{ name: timerName, dueMs: timeMs + linkAgeMs, reads: chainReads }] } : {}),
    emit,
  };
}

function linked(topic: TopicName, partition: number, chain: Chain): Effects {
  return {
    put: [[chainKey, restarted(chain)]],
    clearTimers: [timerName],
    emit: [linkOf(topic, partition, chain)],
    count: { links: 1, recordsLinked: chain.records },
  };
}

function restarted(chain: Chain): Chain {
  return { ...chain, previous: chain.digest, records: 0, timed: false };
}

function linkOf(topic: TopicName, partition: number, chain: Chain): Output {
  const { previous, digest, records, fromOffset, toOffset, timeMs } = chain;
  const data = { topic, partition, fromOffset, toOffset, records, previous, digest, timeMs };
  return { topic: 'audit', type: 'audit-linked', data, key: `${topic}/${partition}` };
}
