/** Each planted defect of the engine's parts must turn a telling history red: a test that finds nothing is no test. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { metaEntry, type TaskMeta } from '../../../runtime/engine/task-meta.ts';
import { header } from '../../../runtime/engine/envelope.ts';
import { Receiver } from '../../../runtime/engine/receiver.ts';
import { SnapshotKeeper } from '../../../runtime/engine/snapshots.ts';
import type { EngineParts } from '../../../runtime/engine/runtime.ts';
import { parseStamp } from '../../../runtime/engine/stamp.ts';
import { decodeValue } from '../../../runtime/engine/value-codec.ts';
import type { OutgoingRecord } from '../../../runtime/ports/log.ts';
import type { StateBatch, StateEntry, TaskState } from '../../../runtime/ports/state-store.ts';
import { deletionAndUpgrade, type Move, playHistory } from './histories.ts';

type Alter = (parts: EngineParts) => EngineParts;

/** Requests, a commit whose answer is lost, more requests, each model several times. */
const publish: Move = { type: 'publish', requests: [0, 1, 2, 3, 0, 1, 2, 3] };
const pause: readonly Move[] = Array.from({ length: 40 }, () => ({ type: 'settle' }) as const);
const lostAnswer: readonly Move[] = [
  publish,
  { type: 'commit-fault', kind: 'after' },
  publish,
  ...pause,
  publish,
  ...pause,
];
const lostStore: readonly Move[] = [
  publish,
  ...pause,
  { type: 'store-lost' },
  publish,
  ...pause,
  { type: 'kill' },
  publish,
];
const crash: readonly Move[] = [publish, ...pause, { type: 'kill' }, publish, ...pause];
const again: readonly Move[] = [
  publish,
  ...pause,
  { type: 'again', request: 0 },
  { type: 'again', request: 5 },
  ...pause,
];
const poison: readonly Move[] = [publish, { type: 'poison' }, { type: 'throwing', request: 1 }, publish, ...pause];
const some: Move = { type: 'publish', requests: [0, 1] };
const storeBack: readonly Move[] = [
  publish,
  ...pause,
  { type: 'remember' },
  publish,
  ...pause,
  { type: 'store-back' },
  some,
  ...pause,
  { type: 'kill' },
  some,
];

const upgrade: readonly Move[] = [
  publish,
  ...pause,
  { type: 'upgrade' },
  publish,
  ...pause,
  { type: 'store-lost' },
  { type: 'kill' },
  publish,
  ...pause,
];

const healthy: Alter = (parts) => parts;

describe('histories on healthy parts', () => {
  it('pass, each of those that tell', { timeout: 120_000 }, async () => {
    for (const history of [lostAnswer, lostStore, crash, again, poison, storeBack, upgrade, deletionAndUpgrade])
      await playHistory(history, {}, healthy);
  });
});

describe('histories find', () => {
  afterEach(() => void vi.restoreAllMocks());

  const red = async (history: readonly Move[], alter: Alter, message: RegExp): Promise<void> => {
    await expect(playHistory(history, {}, alter)).rejects.toThrow(message);
  };

  it('a commit that loses the outbox', async () => {
    await red(
      lostAnswer,
      onCommit((batch) => ({ ...batch, put: batch.put.filter(([key]) => key !== '~outbox') })),
      /were answered as/,
    );
  });

  it('a commit that loses the values', async () => {
    await red(
      crash,
      onCommit((batch) => ({ ...batch, put: batch.put.filter(([key]) => !key.startsWith('k/')) })),
      /the state counts/,
    );
  });

  it('a commit that forgets the ordinals', async () => {
    await red(
      crash,
      onMeta((meta) => ({ ...meta, ordinals: {} })),
      /were answered as|says two things/,
    );
  });

  it('a log that drops an output silently', async () => {
    await red(
      crash,
      onAppend((records) => records.filter((record) => ordinalOf(record) !== 3)),
      /were answered as/,
    );
  });

  it('a log that says outputs again under other ids', async () => {
    const other = (record: OutgoingRecord): OutgoingRecord => ({
      ...record,
      headers: { ...record.headers, [header.id]: `${String(record.headers[header.id]).replace('toy/', 'yot/')}` },
    });
    await red(
      crash,
      onAppend((records) =>
        records.flatMap((record) => (ordinalOf(record) === 2 ? [record, other(record)] : [record])),
      ),
      /were answered as/,
    );
  });

  it('a dead letter that is not written', async () => {
    await red(
      poison,
      onAppend((records) => records.filter(({ topic }) => topic !== 'dead-letters')),
      /gave \d+ dead letters/,
    );
  });

  it('a receiver that takes repeats of a service', async () => {
    const judge = Receiver.prototype.judge;
    vi.spyOn(Receiver.prototype, 'judge').mockImplementation(function (this: Receiver, id, offset) {
      const verdict = judge.call(this, id, offset);
      return verdict.type === 'repeat' && parseStamp(id) === undefined ? { type: 'taken' } : verdict;
    });
    await red(again, healthy, /were answered as/);
  });

  it('a rebuild that says everything again as a new branch', async () => {
    const shouting = onMeta((meta) =>
      meta.rebuild === null ? meta : { ...meta, branch: meta.branch + 1, rebuild: { ...meta.rebuild, saidBelow: 0 } },
    );
    await red(lostStore, shouting, /were answered as/);
  });

  it('a rebuild that is silent about what it folds for the first time', async () => {
    const mute = onMeta((meta) =>
      meta.rebuild === null ? meta : { ...meta, rebuild: { ...meta.rebuild, saidBelow: Number.MAX_SAFE_INTEGER } },
    );
    await red(lostStore, mute, /were answered as/);
  });

  it('a newer version that folds again what the older one has folded', async () => {
    const of = SnapshotKeeper.prototype.of;
    vi.spyOn(SnapshotKeeper.prototype, 'of').mockImplementation(async function (this: SnapshotKeeper, task) {
      // As if nothing were known of versions: the empty state at the start of the log is anybody's.
      const known = await of.call(this, task);
      const first = known.at(-1);
      return first === undefined ? [] : [{ ...first, topologyVersion: known[0]?.topologyVersion ?? 1 }];
    });
    await red(upgrade, healthy, /says two things|gaps|were answered as/);
  });

  it('a log keeper that deletes what a rebuild still needs', { timeout: 240_000 }, async () => {
    const greedy: Alter = (parts) => ({
      ...parts,
      log: {
        ...parts.log,
        truncateBefore: async (place) => {
          const end = (await parts.log.endOffsets(place.topic))[place.partition] ?? 0;
          await parts.log.truncateBefore(place, end);
        },
      },
    });
    // Whether records lie beyond the newest snapshot when it deletes is a matter of time: not every play can tell.
    const message = /in vain|gaps|were answered as|the state counts|were counted as/;
    const plays = 40;
    let said: unknown;
    for (let play = 0; play < plays && said === undefined; play++)
      said = await playHistory(deletionAndUpgrade, {}, greedy).then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(said, `${plays} plays were green`).toMatchObject({ message: expect.stringMatching(message) as string });
  });

  it('a store that ignores whether it went back', async () => {
    await red(storeBack, forgivingStore, /the state counts|were counted as|were answered as|was answered after/);
  });
});

function ordinalOf(record: OutgoingRecord): number | undefined {
  return record.topic === 'registry' ? parseStamp(String(record.headers[header.id]))?.ordinal : undefined;
}

function onAppend(change: (records: readonly OutgoingRecord[]) => readonly OutgoingRecord[]): Alter {
  return (parts) => ({ ...parts, log: { ...parts.log, append: (records) => parts.log.append(change(records)) } });
}

function onCommit(change: (batch: StateBatch) => StateBatch): Alter {
  return onState((state) => ({ ...state, commit: (expected, batch) => state.commit(expected, change(batch)) }));
}

/** Wherever it is written: with each commit, and with a snapshot that is restored. */
function onMeta(change: (meta: TaskMeta) => TaskMeta): Alter {
  const changed = (entries: readonly StateEntry[]): StateEntry[] =>
    entries.map((entry) => (entry[0] === '~meta' ? metaEntry(change(decodeValue(entry[1]) as TaskMeta)) : entry));
  return onState((state) => ({
    ...state,
    commit: (expected, batch) => state.commit(expected, { ...batch, put: changed(batch.put) }),
    restore: (position, pages) => state.restore(position, mapPages(pages, changed)),
  }));
}

async function* mapPages<T, U>(pages: AsyncIterable<T>, change: (page: T) => U): AsyncGenerator<U> {
  for await (const page of pages) yield change(page);
}

function onState(change: (state: TaskState) => TaskState): Alter {
  return (parts) => ({
    ...parts,
    state: { ...parts.state, open: async (task) => change(await parts.state.open(task)) },
  });
}

/** Reopens behind the caller's back when a commit is refused, and writes all the same. */
const forgivingStore: Alter = (parts) => ({
  ...parts,
  state: {
    ...parts.state,
    open: async (task) => {
      let state = await parts.state.open(task);
      const first = state;
      return {
        ...first,
        get: (keys) => state.get(keys),
        range: (range) => state.range(range),
        commit: async (expected, batch) => {
          try {
            await state.commit(expected, batch);
          } catch {
            state = await parts.state.open(task);
            await state.commit(state.position, batch);
          }
        },
      };
    },
  },
});
