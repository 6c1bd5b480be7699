/**
 * When a sealed file goes: when its newest record is older than the retention of its topic, and no hold is on it. Asked of the sealer as
 * `expiry-due`; a hold that came in between has the sealer answer `expiry-held`, and the file waits for the end of that hold.
 *
 * State: `keep/<topic>` days (`keep/` those of topics without their own); `hold/<name>`; `seal/<topic>/…` files in the order of their age;
 * `held/<name>/<topic>/…` files past their retention that a hold keeps.
 */
import type { DueTimer, Effects, Reads, StateView, TimerSpec, Topology } from '../runtime/engine/topology.ts';
import type { AuditExpired, ExpiryDue, HoldPlaced } from '../schemas/events.ts';
import { auditedTopics } from '../schemas/topics.ts';
import { type Hold, holdOn, holdsMax } from './audit-holds.ts';

const dayMs = 86_400_000;
/** Files looked at in one go; more are looked at right behind. */
const page = 200;

/** A sealed file, as far as its end is concerned. */
type Span = Pick<AuditExpired, 'topic' | 'partition' | 'sequence' | 'fromTimeMs' | 'timeMs'>;

export const auditRetention: Topology<'audit-seals'> = {
  name: 'audit-retention',
  version: 1,
  input: 'audit-seals',
  outputs: ['audit-seals'],
  summary: 'says which sealed files of the audit trail are past their retention and under no hold',
  // a file may go later
  lingerMs: 20,

  reads(event) {
    switch (event.type) {
      case 'audit-sealed': {
        const { topic } = event.data;
        return { keys: keepKeys(topic), ranges: [{ prefix: sealsOf(topic), limit: 1 }] };
      }
      case 'expiry-held':
        return { keys: [holdKey(event.data.hold)] };
      case 'seal-due':
      case 'seal-failed':
      case 'redaction-requested':
      case 'record-redacted':
      case 'redaction-refused':
      case 'retention-set':
      case 'hold-placed':
      case 'hold-released':
      case 'expiry-due':
      case 'audit-expired':
        return {};
    }
  },

  fold(event, state) {
    const { timeMs } = event;
    switch (event.type) {
      case 'audit-sealed': {
        const span = spanOf(event.data);
        const oldest = state.range<Span>(sealsOf(span.topic))[0]?.[1].timeMs ?? Number.POSITIVE_INFINITY;
        const keepDays = keepDaysOf(span.topic, state);
        const due = span.timeMs < oldest && keepDays !== null;
        return {
          put: [[sealKey(span), span]],
          setTimers: due ? [expireAt(span.topic, span.timeMs + keepDays * dayMs)] : [],
        };
      }
      case 'retention-set': {
        const { topic, keepDays } = event.data;
        const concerned = topic === '' ? auditedTopics : [topic];
        return { put: [[keepKey(topic), keepDays]], setTimers: concerned.map((of) => expireAt(of, timeMs)) };
      }
      case 'hold-placed':
        return { put: [[holdKey(event.data.name), holdOf(event.data)]] };
      case 'hold-released':
        return { delete: [holdKey(event.data.name)], setTimers: [freeAt(event.data.name, timeMs)] };
      case 'expiry-held': {
        // the hold may be over already
        if (state.get(holdKey(event.data.hold)) === undefined) return waiting(spanOf(event.data), timeMs);
        return { put: [[heldKey(event.data.hold, event.data), spanOf(event.data)]] };
      }
      case 'seal-due':
      case 'seal-failed':
      case 'redaction-requested':
      case 'record-redacted':
      case 'redaction-refused':
      case 'expiry-due':
      case 'audit-expired':
        return {};
    }
  },

  onTimer(timer, state) {
    const slash = timer.name.indexOf('/');
    const of = timer.name.slice(slash + 1);
    return timer.name.slice(0, slash) === 'expire' ? expire(of, timer, state) : free(of, timer, state);
  },
};

/** Looks at the oldest files of a topic. */
function expire(topic: string, { timeMs }: DueTimer, state: StateView): Effects {
  const keepDays = keepDaysOf(topic, state);
  if (keepDays === null) return {};
  const holds = state.range<Hold>('hold/').map(([, hold]) => hold);
  const files = state.range<Span>(sealsOf(topic));
  const aged = files.filter(([, span]) => span.timeMs + keepDays * dayMs <= timeMs);
  const put: [string, unknown][] = [];
  const due: ExpiryDue[] = [];
  for (const [, span] of aged) {
    const hold = holdOn(span, holds);
    if (hold === undefined) due.push({ ...span, keepDays });
    else put.push([heldKey(hold.name, span), span]);
  }
  const next = files[aged.length];
  const again = aged.length === page ? timeMs : next === undefined ? undefined : next[1].timeMs + keepDays * dayMs;
  return {
    put,
    delete: aged.map(([key]) => key),
    setTimers: again === undefined ? [] : [expireAt(topic, again)],
    emit: due.map((data) => ({ topic: 'audit-seals', type: 'expiry-due', key: `${topic}/${data.partition}`, data })),
    count: { expiriesDue: due.length, expiriesHeld: put.length },
  };
}

/** Files that a hold kept are judged again once it is released. */
function free(name: string, { timeMs }: DueTimer, state: StateView): Effects {
  const files = state.range<Span>(heldBy(name));
  const topics = [...new Set(files.map(([, { topic }]) => topic))];
  return {
    put: files.map(([, span]) => [sealKey(span), span]),
    delete: files.map(([key]) => key),
    setTimers: [
      ...topics.map((topic) => expireAt(topic, timeMs)),
      ...(files.length === page ? [freeAt(name, timeMs)] : []),
    ],
  };
}

const waiting = (span: Span, timeMs: number): Effects => ({
  put: [[sealKey(span), span]],
  setTimers: [expireAt(span.topic, timeMs)],
});

function keepDaysOf(topic: string, state: StateView): number | null {
  const [own, all] = [state.get<number | null>(keepKey(topic)), state.get<number | null>(keepKey(''))];
  return own === undefined ? (all ?? null) : own;
}

const keepKey = (topic: string): string => `keep/${topic}`;
const keepKeys = (topic: string): readonly string[] => [keepKey(topic), keepKey('')];
const holdKey = (name: string): string => `hold/${name}`;
const sealsOf = (topic: string): string => `seal/${topic}/`;
const heldBy = (hold: string): string => `held/${hold}/`;
const place = ({ timeMs, partition, sequence }: Span): string =>
  `${String(timeMs).padStart(15, '0')}/${partition}/${String(sequence).padStart(10, '0')}`;
const sealKey = (span: Span): string => `${sealsOf(span.topic)}${place(span)}`;
const heldKey = (hold: string, span: Span): string => `${heldBy(hold)}${span.topic}/${place(span)}`;

function expireAt(topic: string, dueMs: number): TimerSpec {
  const reads: Reads = {
    keys: keepKeys(topic),
    ranges: [
      { prefix: 'hold/', limit: holdsMax },
      { prefix: sealsOf(topic), limit: page },
    ],
  };
  return { name: `expire/${topic}`, dueMs, reads };
}

function freeAt(hold: string, dueMs: number): TimerSpec {
  return { name: `free/${hold}`, dueMs, reads: { ranges: [{ prefix: heldBy(hold), limit: page }] } };
}

const spanOf = ({ topic, partition, sequence, fromTimeMs, timeMs }: Span): Span => ({
  ...{ topic, partition, sequence },
  ...{ fromTimeMs, timeMs },
});

const holdOf = ({ name, topics, sinceMs, untilMs }: HoldPlaced): Hold => ({ name, topics, sinceMs, untilMs });
