/**
 * What memoised tasks ended with, by the hash of all that it follows from. The newest outcome of a key counts; each is forgotten so long
 * after it was kept as its step says. Every question gets one answer, `task-remembered` on `runs`.
 *
 * Ledger: outcomesSought = outcomesFound + outcomesUnknown.
 */
import { type Effects, nothing, type Topology } from '../runtime/engine/topology.ts';
import type { OutcomeKept, RememberedOutcome, Split } from '../schemas/events.ts';
import { revived } from './run-progress/state.ts';

type Kept = RememberedOutcome;

const keptKey = (memoryKey: string): string => `kept/${memoryKey}`;
const forgetName = (memoryKey: string): string => `forget/${memoryKey}`;

export const stepMemory: Topology<'memory'> = {
  name: 'step-memory',
  version: 1,
  input: 'memory',
  outputs: ['runs'],
  summary: 'remembers what memoised tasks ended with, and answers those that ask',

  reads({ data: { memoryKey } }) {
    return isKey(memoryKey) ? { keys: [keptKey(memoryKey)] } : {};
  },

  fold(event, state): Effects {
    const { memoryKey } = event.data;
    if (!isKey(memoryKey)) return { count: { malformed: 1 } };
    if (event.type === 'outcome-kept') return keep(event.data, event.timeMs);
    const { runId, taskId, forMs } = event.data;
    const kept = state.get<Kept>(keptKey(memoryKey));
    const found = kept !== undefined && (forMs === null || event.timeMs - kept.keptAt <= forMs);
    const outcome = found ? shown(kept) : null;
    return {
      emit: [{ topic: 'runs', type: 'task-remembered', key: runId, data: { runId, taskId, memoryKey, outcome } }],
      count: { outcomesSought: 1, [found ? 'outcomesFound' : 'outcomesUnknown']: 1 },
    };
  },

  onTimer({ data }, state): Effects {
    const key = keptKey(data as string);
    return state.get(key) === undefined ? nothing : { delete: [key], count: { outcomesForgotten: 1 } };
  },
};

function keep({ memoryKey, keepMs, flow: _flow, step: _step, ...outcome }: OutcomeKept, timeMs: number): Effects {
  const key = keptKey(memoryKey);
  const kept: Kept = { ...outcome, keptAt: timeMs };
  const forget = { name: forgetName(memoryKey), dueMs: timeMs + keepMs, reads: { keys: [key] }, data: memoryKey };
  return { put: [[key, kept]], setTimers: [forget], count: { outcomesKept: 1 } };
}

function isKey(memoryKey: string): boolean {
  return /^[0-9a-f]{64}$/.test(memoryKey);
}

/** Bytes of a state value come back bare; events want them as buffers. */
function shown({ artifacts, split, ...kept }: Kept): RememberedOutcome {
  return {
    ...kept,
    artifacts: [...revived(artifacts)],
    split: split === undefined || split === null ? null : revivedSplit(split),
  };
}

function revivedSplit({ size, packs }: Split): Split {
  return {
    size,
    packs: packs.map(({ digests = null, ...pack }) =>
      digests === null ? pack : { ...pack, digests: Buffer.from(digests.buffer, digests.byteOffset, digests.length) },
    ),
  };
}
