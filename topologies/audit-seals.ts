/**
 * When links of the audit chains are sealed: all 4,096 records of a chain, or an hour after its first link without a seal. What is due
 * is said once; `audit-sealer` reads the records, puts them into a file and says what must be in it.
 */
import type { Output, Topology } from '../runtime/engine/topology.ts';
import type { AuditLinked } from '../schemas/events.ts';
import { chainStart } from './audit-chain.ts';

const sealRecords = 4_096;
const sealAgeMs = 3_600_000;

/** One chain: what its next seal covers so far. */
interface Chain {
  /** Of the next seal. */
  readonly sequence: number;
  readonly records: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly previous: string;
  readonly digest: string;
  readonly fromTimeMs: number;
  readonly timeMs: number;
}

export const auditSeals: Topology<'audit'> = {
  name: 'audit-seals',
  version: 1,
  input: 'audit',
  outputs: ['audit-seals'],
  summary: 'says which links of the audit chains are to be sealed',
  // a seal may be late anyway
  lingerMs: 20,

  reads: ({ data }) => ({ keys: [keyOf(data)] }),

  fold({ data: link, timeMs }, state) {
    const key = keyOf(link);
    const before = state.get<Chain>(key) ?? begun(link);
    const first = before.records === 0;
    const chain: Chain = {
      sequence: before.sequence,
      records: before.records + link.records,
      fromOffset: first ? link.fromOffset : before.fromOffset,
      toOffset: link.toOffset,
      previous: first ? link.previous : before.previous,
      digest: link.digest,
      fromTimeMs: before.fromTimeMs,
      timeMs: Math.max(before.timeMs, link.timeMs),
    };
    if (chain.records >= sealRecords)
      return { put: [[key, sealed(chain)]], clearTimers: [key], emit: [due(link, chain)], count: { sealsDue: 1 } };
    const timer = { name: key, dueMs: timeMs + sealAgeMs, reads: { keys: [key] } };
    return { put: [[key, chain]], setTimers: first ? [timer] : [] };
  },

  onTimer({ name }, state) {
    const chain = state.get<Chain>(name);
    if (chain === undefined || chain.records === 0) return {};
    const slash = name.lastIndexOf('/');
    const source = { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) };
    return { put: [[name, sealed(chain)]], emit: [due(source, chain)], count: { sealsDue: 1 } };
  },
};

const keyOf = ({ topic, partition }: Pick<AuditLinked, 'topic' | 'partition'>): string => `${topic}/${partition}`;

function begun({ topic, partition }: AuditLinked): Chain {
  const digest = chainStart(topic, partition);
  return { sequence: 0, records: 0, fromOffset: 0, toOffset: -1, previous: digest, digest, fromTimeMs: 0, timeMs: 0 };
}

function sealed(chain: Chain): Chain {
  return { ...chain, sequence: chain.sequence + 1, records: 0, previous: chain.digest, fromTimeMs: chain.timeMs };
}

function due(source: Pick<AuditLinked, 'topic' | 'partition'>, chain: Chain): Output {
  const { topic, partition } = source;
  return { topic: 'audit-seals', type: 'seal-due', key: keyOf(source), data: { topic, partition, ...chain } };
}
