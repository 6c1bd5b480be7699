/** Garbage collection over generated histories: what anything names stays, everything else goes, whatever happens meanwhile. */
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineParts, Runtime } from '../../../runtime/engine/runtime.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { Artifact } from '../../../schemas/events.ts';
import { collect } from '../../../services/artifact-collector/collect.ts';
import { hashesIn, hashesOfStream } from '../../../services/artifact-collector/hash-scan.ts';
import { type Provenance, startProvenance } from '../../../services/provenance/index.ts';
import { seededRandom } from '../../../statistics/random.ts';

const day = 86_400_000;
const wanted = { olderThanMs: 30 * day, graceMs: day, dryRun: false };
const nothingHeld = { next: () => Promise.resolve([]) };
const queryOf = (directory: string) =>
  queryStores({ directory, 'query.url': '', 'kafka.prefix': '' } as never, 'query');

let test: TestRuntime;
let provenance: Provenance;
let said = 0;

beforeAll(async () => {
  test = await createTestRuntime();
  provenance = await startProvenance(test.runtime, queryOf(test.directory), test.directory);
}, 60_000);
afterAll(async () => {
  await provenance.close();
  await test.close();
});

/** The runtime as it is 100 days later, with a blob store that may do something first. */
function later(blobs: Partial<BlobStore> = {}): Runtime {
  const { runtime } = test;
  const own = runtime.parts.blobs;
  const store: BlobStore = {
    put: (bytes) => own.put(bytes),
    get: (hash) => own.get(hash),
    getRange: (hash, start, end) => own.getRange(hash, start, end),
    stream: (hash) => own.stream(hash),
    stat: (hash) => own.stat(hash),
    list: () => own.list(),
    delete: (hash) => own.delete(hash),
    deleteOld: (hash, putBeforeMs) => own.deleteOld(hash, putBeforeMs),
    close: () => own.close(),
    ...blobs,
  };
  const clock = { ...runtime.parts.clock, now: () => Date.now() + 100 * day };
  const parts: EngineParts = { ...runtime.parts, clock, blobs: store };
  return { topic: (name: never) => runtime.topic(name), parts } as unknown as Runtime;
}

async function say(...facts: readonly { topic: string; type: string; key: string; data: object }[]): Promise<void> {
  await test.runtime.publish(facts.map((fact) => ({ ...fact, id: `said-${said++}` })) as never);
}

async function put(text: string): Promise<string> {
  return (await test.runtime.parts.blobs.put(Buffer.from(text))).hash;
}

const artifact = (hash: string, name = 'a'): Artifact => ({ name, hash, sizeBytes: 1, codec: 'bytes', inline: null });
const at = { flow: 'f', step: 's', attempt: 1 };

/** A run: whether it has ended, and what it keeps of itself. */
async function openRun(runId: string, { tags = [], resumableMs = 1, bundle }: RunFacts): Promise<void> {
  const data = {
    ...{ runId, flow: 'f', version: 1, bundleHash: bundle, graph: JSON.stringify({ resumableMs }), tags, actor: 'ada' },
    ...{ parameters: '{}', systemTags: [], cause: { kind: 'manual', id: runId, position: null } },
  };
  await say({ topic: 'runs', type: 'run-requested', key: runId, data });
}
interface RunFacts {
  readonly tags?: readonly string[];
  readonly resumableMs?: number;
  readonly bundle: string;
}
const endRun = (runId: string): Promise<void> =>
  say({
    topic: 'runs',
    type: 'run-completed',
    key: runId,
    data: { runId, flow: 'f', tasks: 1, startedAt: 1, artifacts: [] },
  });

/** The ways in which a run names a blob. */
const byRun: readonly ((runId: string, hash: string, nth: number) => Promise<void>)[] = [
  (runId, hash, nth) =>
    say({
      topic: 'artifacts',
      type: 'artifact-written',
      key: runId,
      data: { runId, taskId: `t${nth}`, ...at, artifact: artifact(hash) },
    }),
  (runId, hash, nth) =>
    say({
      topic: 'artifacts',
      type: 'checkpoint-written',
      key: runId,
      data: { runId, taskId: `t${nth}`, ...at, checkpoint: artifact(hash), kept: true },
    }),
  (runId, hash, nth) => {
    const token = { attempt: 1, dispatch: 1, incarnation: 'i' };
    const ended = { runId, taskId: `t${nth}`, token, worker: 'w', artifacts: [], requests: [], userMs: 1 };
    return say({
      topic: 'runs',
      type: 'task-completed',
      key: runId,
      data: { ...ended, logs: artifact(hash), cards: [] },
    });
  },
  (runId, hash, nth) => {
    const token = { attempt: 1, dispatch: 1, incarnation: 'i' };
    const ended = { runId, taskId: `t${nth}`, token, worker: 'w', artifacts: [], requests: [], userMs: 1, logs: null };
    const split = { size: 1, packs: [{ hash, count: 1 }] };
    return say({ topic: 'runs', type: 'task-completed', key: runId, data: { ...ended, cards: [], split } });
  },
];

/** The ways in which something is named that never expires. */
const byOthers: readonly ((hash: string, nth: number) => Promise<void>)[] = [
  (hash, nth) =>
    say({
      topic: 'registry',
      type: 'version-registered',
      key: 'm',
      data: {
        model: 'm',
        version: nth,
        requestId: `r${nth}`,
        artifact: artifact(hash),
        metrics: {},
        tags: {},
        description: '',
        actor: 'a',
        runId: null,
        taskId: null,
        flow: null,
      },
    }),
  (hash, nth) =>
    say({
      topic: 'starts',
      type: 'flow-deployed',
      key: 'f',
      data: { flow: 'f', version: nth, requestId: `r${nth}`, bundleHash: hash, actor: 'a' },
    }),
  (hash, nth) =>
    say({
      topic: 'deployment-events',
      type: 'deployment-applied',
      key: 'd',
      data: {
        deployment: 'd',
        version: nth,
        requestId: `r${nth}`,
        document: JSON.stringify({ routes: [], code: hash }),
        actor: 'a',
      },
    }),
  // what a fold has in its state: here an outcome that may be recalled, far into the snapshot
  async (hash, nth) => {
    const blob = await put(`${'.'.repeat(70_000)}\u00d9@${hash}a${nth}`);
    const data = {
      task: `step-memory/memory/${nth}`,
      topologyVersion: 1,
      branch: 0,
      position: nth,
      blob,
      sizeBytes: 1,
    };
    await say({ topic: 'snapshots', type: 'snapshot-taken', key: data.task, data });
  },
  // a record whose value is so big that it lies in a blob itself
  (hash, nth) =>
    say({
      topic: 'deployment-events',
      type: 'deployment-applied',
      key: 'd',
      data: {
        deployment: 'd',
        version: nth,
        requestId: `big${nth}`,
        document: JSON.stringify({ routes: [], filler: 'x'.repeat(300_000), hash }),
        actor: 'a',
      },
    }),
];

const fates: readonly (Omit<RunFacts, 'bundle'> & { readonly ends: boolean; readonly live: boolean })[] = [
  { ends: false, live: true },
  { ends: true, live: false },
  { ends: true, live: true, tags: ['keep'] },
  { ends: true, live: true, tags: ['retain:200d'] },
  { ends: true, live: true, tags: ['retain:soon'] },
  { ends: true, live: false, tags: ['retain:10d'] },
  { ends: true, live: true, resumableMs: 365 * day },
];

describe('collecting garbage', () => {
  it.each([1, 2, 3, 4].map((n) => n * 7919))('removes what nothing names and nothing else (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const pick = (count: number): number => random.integer(count);
    const live = new Map<string, boolean>();
    const fresh = async (): Promise<string> => {
      const hash = await put(`${seed} ${live.size} ${random.uniform()}`);
      live.set(hash, false);
      return hash;
    };
    const runs: { runId: string; live: boolean; ends: boolean }[] = [];
    for (const [nth, fate] of fates.entries()) {
      const runId = Array.from({ length: 32 }, () => '0123456789abcdef'[pick(16)]).join('');
      const bundle = await fresh();
      live.set(bundle, fate.live);
      await openRun(runId, { ...fate, bundle });
      runs.push({ ...fate, runId });
      if (nth === 0) await fresh();
    }
    for (let nth = 0; nth < 40; nth++) {
      const known = [...live.keys()];
      // some are named twice, by a run that has expired and by something that has not
      const hash = random.uniform() < 0.2 ? (known[pick(known.length)] ?? (await fresh())) : await fresh();
      const run = runs[pick(runs.length)];
      if (random.uniform() < 0.7 && run !== undefined) {
        await byRun[pick(byRun.length)]?.(run.runId, hash, nth);
        if (run.live) live.set(hash, true);
      } else if (random.uniform() < 0.8) {
        await byOthers[pick(byOthers.length)]?.(hash, seed + nth);
        live.set(hash, true);
      }
    }
    const young = await put(`${seed} young`);
    for (const { runId, ends } of runs) if (ends) await endRun(runId);
    const soon = new Date(Date.now() + 100 * day - 1_000);
    await utimes(join(test.directory, 'blobs', young.slice(0, 2), young.slice(2, 4), young), soon, soon);

    const { blobs } = test.runtime.parts;
    const dry = await collect(later(), provenance.queries, nothingHeld, { ...wanted, dryRun: true });
    for (const hash of live.keys()) expect(await blobs.stat(hash)).toBeDefined();
    const garbage = [...live].filter(([, used]) => !used);
    expect(garbage.length).toBeGreaterThan(3);
    expect(dry).toMatchObject({ removed: garbage.length, young: 1 });

    // it dies in the middle, and another one goes on
    let left = 2;
    const dying = later({
      deleteOld: async (hash, putBeforeMs) => {
        if (left-- === 0) throw new Error('killed');
        return await blobs.deleteOld(hash, putBeforeMs);
      },
    });
    await expect(collect(dying, provenance.queries, nothingHeld, wanted)).rejects.toThrow('killed');
    expect(await collect(later(), provenance.queries, nothingHeld, wanted)).toMatchObject({
      removed: garbage.length - 2,
      young: 1,
    });
    const gone = new Set<string>();
    for (const hash of live.keys()) if ((await blobs.stat(hash)) === undefined) gone.add(hash);
    expect([...gone].sort()).toEqual(garbage.map(([hash]) => hash).sort());
    expect(await blobs.stat(young)).toBeDefined();
    await blobs.delete(young);
  });

  it('leaves alone what is named, or put again, while it runs', async () => {
    const { blobs } = test.runtime.parts;
    const [named, again, garbage] = [
      await put('named meanwhile'),
      await put('put again'),
      await put('nobody wants it'),
    ];
    let first = true;
    const racing = later({
      async *list() {
        for await (const page of blobs.list()) {
          // after it has marked, and before it removes
          if (first) await byOthers[0]?.(named, 1_000_000);
          first = false;
          yield page;
        }
      },
      deleteOld: async (hash, putBeforeMs) => {
        const soon = new Date(Date.now() + 100 * day);
        if (hash === again)
          await utimes(join(test.directory, 'blobs', hash.slice(0, 2), hash.slice(2, 4), hash), soon, soon);
        return await blobs.deleteOld(hash, putBeforeMs);
      },
    });
    await collect(racing, provenance.queries, nothingHeld, wanted);
    expect(await blobs.stat(named)).toBeDefined();
    expect(await blobs.stat(again)).toBeDefined();
    expect(await blobs.stat(garbage)).toBeUndefined();
    await blobs.delete(again);
  });

  it('removes nothing when the query store does not know the beginning of the log', async () => {
    const { log, blobs } = test.runtime.parts;
    const topic = test.runtime.topic('artifacts');
    const ends = await log.endOffsets(topic);
    for (const [partition, end] of ends.entries()) await log.truncateBefore({ topic, partition }, end);
    const garbage = await put('nobody wants it either');
    // the store that has read it all knows what is gone from the log
    await collect(later(), provenance.queries, nothingHeld, { ...wanted, dryRun: true });
    const other = await startProvenance(test.runtime, queryOf(join(test.directory, 'other')), 'other');
    try {
      await other.projection.ready();
      await expect(collect(later(), other.queries, nothingHeld, wanted)).rejects.toThrow(
        /the query store does not know what was before/,
      );
    } finally {
      await other.close();
    }
    expect(await blobs.stat(garbage)).toBeDefined();
  });
});

describe('hashes in bytes', () => {
  const hash = 'ab'.repeat(32);

  it('are found whatever stands beside them, also across two chunks', async () => {
    expect(hashesIn(Buffer.from(`{"hash":"${hash}"}`))).toEqual([hash]);
    expect(hashesIn(Buffer.from(`7${hash}b`))).toContain(hash);
    expect(hashesIn(Buffer.from(`${'ab'.repeat(31)}`))).toEqual([]);
    const text = Buffer.from(`${'.'.repeat(100)}${hash}${'.'.repeat(100)}`);
    async function* cut(place: number) {
      yield text.subarray(0, place);
      yield text.subarray(place);
    }
    for (const place of [100, 101, 130, 163, 164]) {
      const found: string[] = [];
      for await (const one of hashesOfStream(cut(place))) found.push(one);
      expect(found).toContain(hash);
    }
  });
});
