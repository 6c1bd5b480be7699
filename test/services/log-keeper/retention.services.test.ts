/** The log keeper against real brokers: Kafka deletes for good, the snapshots that allow it lie on S3, and Redis may lose all it has. */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { createRuntime } from '../../../runtime/engine/create-runtime.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { serviceIdWindow } from '../../../runtime/engine/service-task.ts';
import { readSnapshots } from '../../../runtime/engine/snapshot-list.ts';
import { type OpenedParts, openParts } from '../../../runtime/profiles/open-parts.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createRetention } from '../../../services/log-keeper/retention.ts';
import { clusterEnvironment, clusterMissing, loseState } from '../../journeys/cluster/cluster.ts';
import { aliasRequest } from '../../runtime/engine/toy-topology.ts';
import { say, scripted, sum } from '../../runtime/engine/world.ts';

const prefix = `l${randomBytes(4).toString('hex')}.`;
const patienceMs = 60_000;
const idWindow = 3;

/** Numbers the requests. */
const counting = scripted(
  (event, state) => {
    const count = (state.get<number>('count') ?? 0) + 1;
    return {
      put: [['count', count]],
      emit: [say(`v${event.data.version} is number ${count}`)],
      count: { numbered: 1 },
    };
  },
  { name: 'counting', idWindow, reads: () => ({ keys: ['count'] }) },
);

/** A service that reads the same topic at its own pace. */
const reading = {
  name: 'reading',
  inputs: ['registry'],
  outputs: [],
  summary: 'reads',
  handle: async () => ({ outputs: [] }),
} as const;

let opened: OpenedParts;
const runtimes: Runtime[] = [];

async function open(): Promise<Runtime> {
  const options = { snapshotEveryRecords: 300, batchRecords: 100, partitions: { registry: 1, operations: 1 } };
  const runtime = await createRuntime(opened.parts, options);
  runtimes.push(runtime);
  return runtime;
}

beforeAll(async () => {
  if (clusterMissing) return;
  const flags = {
    directory: join(tmpdir(), prefix),
    'log.level': 'error',
    'kafka.prefix': prefix,
    's3.bucket': `millrace-${prefix.slice(0, -1)}`,
  };
  opened = await openParts(resolveConfiguration({ flags, environment: clusterEnvironment }));
});
afterEach(async () => {
  for (const runtime of runtimes.splice(0)) await runtime.close();
});
afterAll(async () => opened?.close());

const start = async ({ parts }: Runtime): Promise<number> =>
  (await parts.log.startOffsets(prefix + 'registry'))[0] ?? -1;

/** Asks for versions, and waits until they have their numbers. */
async function ask(runtime: Runtime, from: number, to: number): Promise<void> {
  for (let first = from; first <= to; first += 100) {
    const last = Math.min(first + 99, to);
    await runtime.publish(Array.from({ length: last - first + 1 }, (_, n) => aliasRequest('m', first + n)));
  }
  await eventually('all are numbered', () => sum(runtime, 'numbered') === to, patienceMs);
}

/** What the fold said, by distinct ids, in order. */
async function said(runtime: Runtime): Promise<readonly string[]> {
  const details = new Map<string, string>();
  for await (const records of runtime.parts.log.read({ topic: `${prefix}operations`, partition: 0 }, { from: 0 }))
    for (const record of records) {
      const { id, data } = await runtime.decode('operations', record);
      if ('detail' in data && data.detail.startsWith('v')) details.set(id, data.detail);
    }
  return [...details.values()];
}

/** The second newest snapshot, less what it remembers. */
async function rebuildFloor(runtime: Runtime): Promise<number> {
  const { snapshots } = await readSnapshots(runtime.parts, runtime);
  return (snapshots.get(`${prefix}counting/registry/0`)?.[1]?.position ?? 0) - idWindow;
}

describe.skipIf(clusterMissing)('the log keeper on Kafka', () => {
  it('deletes below the second newest snapshot and the slowest reader, and what is left rebuilds the state', {
    timeout: 240_000,
  }, async () => {
    const runtime = await open();
    const options = { runtime, topologies: [counting], keepMs: 0, readers: { registry: ['counting', 'reading'] } };
    await (await runtime.runTopology(counting)).ready();
    const reader = await runtime.runService(reading);
    await reader.ready();
    await runtime.runService(createRetention(options));

    // The reader stops early: however far the fold is, what lies before the reader stays.
    await ask(runtime, 1, serviceIdWindow + 200);
    const registry = prefix + 'registry';
    const reported = async (): Promise<number> =>
      (await runtime.parts.log.committed(prefix + 'reading', registry))[0] ?? 0;
    await eventually(
      'the reader says how far it is',
      async () => (await reported()) === serviceIdWindow + 200,
      patienceMs,
    );
    await reader.close();
    await ask(runtime, serviceIdWindow + 201, 2_500);
    await eventually('what both have behind them is deleted', async () => (await start(runtime)) === 200, patienceMs);
    expect(await rebuildFloor(runtime)).toBeGreaterThan(200);

    // It comes back, has missed nothing, and the snapshots are what holds the log.
    const again = await runtime.runService(reading);
    await again.ready();
    await ask(runtime, 2_501, 4_500);
    await eventually('it has read all', () => sum(runtime, 'handled') >= 4_500, patienceMs);
    expect(sum(runtime, 'expiredUnread')).toBe(0);
    await eventually('the log is deleted further', async () => (await start(runtime)) > 1_500, patienceMs);
    expect(await start(runtime)).toBeLessThanOrEqual(await rebuildFloor(runtime));
    // more may be deleted between the two looks
    await eventually(
      'a reader begins at the start of the log',
      async () => {
        for await (const [record] of runtime.parts.log.read({ topic: registry, partition: 0 }, { from: 0 }))
          return record?.offset === (await start(runtime));
        return false;
      },
      patienceMs,
    );

    // The state is lost; a snapshot and what is left of the log give it back.
    await runtime.close();
    expect(await loseState(prefix)).toBeGreaterThan(0);
    const after = await open();
    await (await after.runTopology(counting)).ready();
    expect(sum(after, 'numbered')).toBe(4_500);
    await after.publish([aliasRequest('m', 4_500), aliasRequest('m', 4_501)]);
    await eventually('the new one is numbered, the repeat is not', () => sum(after, 'numbered') === 4_501, patienceMs);
    expect(sum(after, 'repeats')).toBe(1);
    // What had not been reported is said again, under the same ids.
    const wanted = Array.from({ length: 4_501 }, (_, n) => `v${n + 1} is number ${n + 1}`);
    await eventually('all was said', async () => (await said(after)).length === wanted.length, patienceMs);
    expect(await said(after)).toEqual(wanted);
  });
});
