import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedLog } from '../../../runtime/adapters/embedded-log/embedded-log.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { Log, OutgoingRecord } from '../../../runtime/ports/log.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { createTableRows } from '../../../services/log-keeper/table-rows.ts';
import { World } from '../../runtime/engine/world.ts';

describe('rows of tables', () => {
  let directory: string;
  let world: World;
  let runtime: Runtime;
  let log: Log;

  /** The log that compacts for real: not at all, or at once. */
  const openLog = async (compacts: boolean): Promise<Log> =>
    await openEmbeddedLog({
      directory,
      durability: 'process',
      onProblem: (error) => console.error(error),
      cleanIntervalMs: compacts ? 10 : 3_600_000,
      compactBytesMin: 1,
      tombstoneMs: 3_600_000,
    });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-rows-'));
    log = await openLog(false);
    world = await World.create();
    runtime = await world.open({ parts: () => ({ log }) });
  });
  afterEach(async () => {
    await world.close();
    await log.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A new process, and what is old on tables is compacted away. */
  async function compacted(): Promise<void> {
    await runtime.close();
    await log.close();
    log = await openLog(true);
    runtime = await world.open({ parts: () => ({ log }) });
    await eventually('the topic is compacted', async () =>
      [...(await keys()).values()].every(({ length }) => length === 1),
    );
  }

  /** A row of `flows` as the fold `flow-starts` says it. */
  function row(flow: string, ordinal: number, version: number | null, branch = 0): OutgoingRecord {
    const data = { flow, version, bundleHash: 'b', graph: '{}', triggers: '[]', actor: 'test', deployedAt: 0 };
    const value = version === null ? null : runtime.codec.encode('flows', 'flow-row', data);
    const headers = { ce_id: `flow-starts/0.${branch}/flows/0/${ordinal}`, ce_type: 'millrace.flows.flow-row.v1' };
    return { topic: 'flows', partition: 0, key: flow, value, headers };
  }

  /** Ordinals by key, as they lie on the log. */
  const keys = async (topic = 'flows'): Promise<Map<string, string[]>> => {
    const found = new Map<string, string[]>();
    for await (const records of log.read({ topic, partition: 0 }, { from: 0 }))
      for (const { key, headers } of records) {
        const name = key?.toString() ?? '';
        found.set(name, [...(found.get(name) ?? []), headers['ce_id']?.toString().split('/').at(-1) ?? '']);
      }
    return found;
  };
  it('are those that a reader finds who starts after a zombie wrote and compaction ran', async () => {
    await (await runtime.runService(createTableRows(runtime))).ready();
    await log.append([row('a', 1, 1), row('b', 2, 1), row('a', 3, 2), row('b', 4, null)]);
    // The zombie says again what it had in its outbox.
    await log.append([row('a', 1, 1), row('b', 2, 1)]);
    await eventually('the newest come last', async () => {
      const found = await keys();
      return found.get('a')?.at(-1) === '3' && found.get('b')?.at(-1) === '4';
    });
    await compacted();
    const table = await runtime.openTable('flows');
    expect(table.get('a')).toMatchObject({ version: 2 });
    expect(table.get('b')).toBeUndefined();
    await table.close();
  });

  it('are kept of every table, or a model server that starts would route by the weights of a zombie', async () => {
    await (await runtime.runService(createTableRows(runtime))).ready();
    const router = (ordinal: number, weight: number): OutgoingRecord => {
      const data = {
        ...{ deployment: 'iris', deploymentVersion: 1, weightsVersion: ordinal, weights: [{ route: 'a', weight }] },
        ...{ cause: 'rewards', reason: 'test', evidence: [], rollout: null, updatedAt: ordinal },
      };
      const headers = {
        ce_id: `route-weights/0.0/routers/0/${ordinal}`,
        ce_type: 'millrace.routers.router-row.v1',
      };
      const value = runtime.codec.encode('routers', 'router-row', data);
      return { topic: 'routers', partition: 0, key: 'iris', value, headers };
    };
    await log.append([router(1, 0.5), router(2, 0.9), router(1, 0.5)]);
    await eventually('the newest comes last', async () => (await keys('routers')).get('iris')?.at(-1) === '2');
  });

  it('are held over a restart, also when the newer one was compacted away meanwhile', async () => {
    const first = await runtime.runService(createTableRows(runtime));
    await first.ready();
    await log.append([row('a', 1, 1), row('a', 2, 2)]);
    await eventually('it has read both', () => runtime.stats().some(({ position }) => position === 2));
    await first.close();
    await log.append([row('a', 1, 1)]);
    await compacted();
    expect((await keys()).get('a')).toEqual(['1']);
    await (await runtime.runService(createTableRows(runtime))).ready();
    await eventually('the newest comes last', async () => (await keys()).get('a')?.at(-1) === '2');
  });

  it('of a newer branch replace those of an older one', async () => {
    await (await runtime.runService(createTableRows(runtime))).ready();
    await log.append([row('a', 5, 1), row('a', 3, 2, 1), row('a', 6, 3)]);
    await eventually('the newer branch comes last', async () => (await keys()).get('a')?.at(-1) === '3');
  });
});
