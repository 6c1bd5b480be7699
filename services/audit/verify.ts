/**
 * Checks the audit chains: reads the audited topics again and compares them with the links that were written while they grew. An edit,
 * removal, insertion or reordering, of records or of links, is named by the range of the first link that does not hold.
 */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { Log, LogRecord } from '../../runtime/ports/log.ts';
import type { VerifiedChain } from '../../schemas/api/audit.ts';
import type { AuditLinked } from '../../schemas/events.ts';
import { auditedTopics, type TopicName } from '../../schemas/topics.ts';
import { chainNext, chainStart, recordDigest } from '../../topologies/audit-chain.ts';

export interface AuditProblem {
  readonly topic: string;
  readonly partition: number;
  /** Offsets of the source that are concerned, both included. */
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly kind:
    | 'link-broken'
    | 'link-unreadable'
    | 'uncovered'
    | 'records-missing'
    | 'records-added'
    | 'records-altered';
  readonly message: string;
}

/** What is wrong with a chain, with the offsets. */
export interface ChainReport extends VerifiedChain {
  readonly problems: readonly AuditProblem[];
}

export interface AuditReport {
  readonly intact: boolean;
  readonly chains: readonly ChainReport[];
  /** First of all, in catalogue order. */
  readonly firstProblem: AuditProblem | undefined;
}

export interface VerifyAuditOptions {
  /** @default all audited topics */
  readonly topics?: readonly TopicName[];
  /** More records than this behind the last link are a problem. A running platform links each 64th. @default no limit */
  readonly recordsUnlinkedMax?: number;
}

/** `log` is what is checked; names and decoding are the runtime's. */
export async function verifyAudit(
  log: Log,
  runtime: Pick<Runtime, 'topic' | 'partitions' | 'decode'>,
  options: VerifyAuditOptions = {},
): Promise<AuditReport> {
  const links = await readLinks(log, runtime);
  const chains: ChainReport[] = [];
  for (const topic of options.topics ?? auditedTopics) {
    for (let partition = 0; partition < runtime.partitions(topic); partition++) {
      const source = { topic: runtime.topic(topic), partition };
      const startOffset = (await log.startOffsets(source.topic))[partition] ?? 0;
      const endOffset = (await log.endOffsets(source.topic))[partition] ?? 0;
      const check = new ChainCheck(topic, partition, startOffset, endOffset);
      const records = new RecordCursor(log, source, startOffset, endOffset);
      for (const link of links.get(`${topic}/${partition}`) ?? []) await check.link(link, records);
      chains.push(check.finish(options.recordsUnlinkedMax));
    }
  }
  const firstProblem = chains.flatMap(({ problems }) => problems)[0];
  return { intact: firstProblem === undefined, chains, firstProblem };
}

type Link = AuditLinked | { readonly unreadable: string };

/** Links per source partition in the order of the log; what the engine said twice counts once. */
async function readLinks(
  log: Log,
  runtime: Pick<Runtime, 'topic' | 'partitions' | 'decode'>,
): Promise<Map<string, Link[]>> {
  const chains = new Map<string, Link[]>();
  const add = (chain: string, link: Link): void => {
    const links = chains.get(chain);
    if (links === undefined) chains.set(chain, [link]);
    else links.push(link);
  };
  const topic = runtime.topic('audit');
  for (let partition = 0; partition < runtime.partitions('audit'); partition++) {
    const seen = new Set<string>();
    for await (const batch of log.read({ topic, partition }, { from: 0 })) {
      for (const record of batch) {
        const chain = record.key?.toString('utf8') ?? '';
        try {
          const { id, data } = await runtime.decode('audit', record);
          if (seen.has(id)) continue;
          seen.add(id);
          add(`${data.topic}/${data.partition}`, data);
        } catch (error) {
          add(chain, { unreadable: `${topic}/${partition}@${record.offset}: ${messageOf(error)}` });
        }
      }
    }
  }
  return chains;
}

const problemsMax = 10;

/** One chain, link by link. After a link that does not hold, the next ones are checked from its digest on. */
class ChainCheck {
  readonly #topic: string;
  readonly #partition: number;
  readonly #startOffset: number;
  readonly #endOffset: number;
  readonly #problems: AuditProblem[] = [];
  #digest: string;
  #nextOffset: number | undefined;
  #timeMs = 0;
  #links = 0;
  #linksExpired = 0;
  #recordsVerified = 0;

  constructor(topic: string, partition: number, startOffset: number, endOffset: number) {
    this.#topic = topic;
    this.#partition = partition;
    this.#startOffset = startOffset;
    this.#endOffset = endOffset;
    this.#digest = chainStart(topic, partition);
  }

  async link(link: Link, records: RecordCursor): Promise<void> {
    this.#links += 1;
    if ('unreadable' in link) {
      const at = this.#nextOffset ?? this.#startOffset;
      this.#problem('link-unreadable', at, at, `the link over offset ${at} and on cannot be read: ${link.unreadable}`);
      return;
    }
    const { fromOffset, toOffset } = link;
    if (link.previous !== this.#digest) {
      const message = `the link over ${fromOffset}..${toOffset} does not continue the one before it`;
      this.#problem('link-broken', fromOffset, toOffset, message);
    }
    const expected = this.#nextOffset ?? Math.min(this.#startOffset, fromOffset);
    if (fromOffset !== expected) {
      const [from, to] = fromOffset > expected ? [expected, fromOffset - 1] : [fromOffset, expected - 1];
      const message = `offsets ${from}..${to} are covered by ${fromOffset > expected ? 'no link' : 'two links'}`;
      this.#problem('uncovered', from, to, message);
    }
    if (fromOffset < this.#startOffset) this.#linksExpired += 1;
    else await this.#compare(link, await records.take(fromOffset, toOffset));
    this.#digest = link.digest;
    this.#nextOffset = toOffset + 1;
    this.#timeMs = Math.max(this.#timeMs, link.timeMs);
  }

  async #compare(link: AuditLinked, found: readonly LogRecord[]): Promise<void> {
    const { fromOffset, toOffset, records, previous, digest } = link;
    let chain = previous;
    let timeMs = this.#timeMs;
    for (const record of found) {
      timeMs = Math.max(timeMs, record.timestampMs);
      const { topic, partition, offset, key, value, headers } = record;
      chain = chainNext(
        chain,
        recordDigest({ topic, partition, offset, timeMs, keyBytes: key, valueBytes: value, headers }),
      );
    }
    this.#timeMs = timeMs;
    if (chain === digest && found.length === records) {
      this.#recordsVerified += records;
      if (timeMs === link.timeMs) return;
      const message = `the link over ${fromOffset}..${toOffset} says another time than its records`;
      this.#problem('link-broken', fromOffset, toOffset, message);
      return;
    }
    const range = `offsets ${fromOffset}..${toOffset} of ${this.#topic}/${this.#partition}`;
    if (found.length < records) {
      this.#problem(
        'records-missing',
        fromOffset,
        toOffset,
        `${range} held ${records} records when linked, now ${found.length}`,
      );
    } else if (found.length > records) {
      this.#problem(
        'records-added',
        fromOffset,
        toOffset,
        `${range} held ${records} records when linked, now ${found.length}`,
      );
    } else {
      this.#problem(
        'records-altered',
        fromOffset,
        toOffset,
        `${range} are not the records that were linked: altered, exchanged or moved`,
      );
    }
  }

  finish(recordsUnlinkedMax = Number.POSITIVE_INFINITY): ChainReport {
    const next = this.#nextOffset ?? this.#startOffset;
    const recordsUnlinked = Math.max(0, this.#endOffset - next);
    if (next > this.#endOffset) {
      const message = `the chain goes to offset ${next - 1}, the log ends at ${this.#endOffset}: its last records are gone`;
      this.#problem('records-missing', this.#endOffset, next - 1, message);
    } else if (recordsUnlinked > recordsUnlinkedMax) {
      const message = `${recordsUnlinked} records behind the last link have none: links were removed, or the audit trail does not run`;
      this.#problem('uncovered', next, this.#endOffset - 1, message);
    }
    return {
      topic: this.#topic,
      partition: this.#partition,
      links: this.#links,
      recordsVerified: this.#recordsVerified,
      linksExpired: this.#linksExpired,
      recordsUnlinked,
      problems: this.#problems,
    };
  }

  #problem(kind: AuditProblem['kind'], fromOffset: number, toOffset: number, message: string): void {
    if (this.#problems.length >= problemsMax) return;
    this.#problems.push({ topic: this.#topic, partition: this.#partition, fromOffset, toOffset, kind, message });
  }
}

/** Reads one partition once, front to back, and hands out ranges. */
class RecordCursor {
  readonly #batches: AsyncIterator<readonly LogRecord[]>;
  #held: readonly LogRecord[] = [];

  constructor(log: Log, source: { topic: string; partition: number }, from: number, to: number) {
    this.#batches = log.read(source, { from, to })[Symbol.asyncIterator]();
  }

  /** Records with offsets in `[from, to]`; those before it are passed over. */
  async take(from: number, to: number): Promise<readonly LogRecord[]> {
    const taken: LogRecord[] = [];
    for (;;) {
      const split = this.#held.findIndex(({ offset }) => offset > to);
      const inside = split < 0 ? this.#held : this.#held.slice(0, split);
      taken.push(...inside.filter(({ offset }) => offset >= from));
      if (split >= 0) {
        this.#held = this.#held.slice(split);
        return taken;
      }
      const next = await this.#batches.next();
      if (next.done === true) {
        this.#held = [];
        return taken;
      }
      this.#held = next.value;
    }
  }
}
