import { randomBytes } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { commitScript } from '../../../runtime/adapters/state/redis-scripts.ts';
import { openRedisStateStore, type RedisStateStoreOptions } from '../../../runtime/adapters/state/redis-state-store.ts';
import type { StateStore } from '../../../runtime/ports/state-store.ts';
import { killWhileCommitting } from '../../conformance/state-store/kill-child.ts';
import type { StateStoreHarness } from '../../conformance/state-store/state-store-harness.ts';
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { compiledFile } from '../../compiled.ts';

const adapter = compiledFile(new URL('../../../runtime/adapters/state/redis-state-store.ts', import.meta.url));

export const newPrefix = (): string => `test-${randomBytes(6).toString('hex')}`;

/** One server; the store reaches it through a proxy that can lose the answer of a commit. */
export async function createRedisHarness(url: string): Promise<StateStoreHarness> {
  const { hostname, port } = new URL(url);
  const proxy = await createTcpProxy({ host: hostname, port: Number(port) });
  return createHarness({ url: `redis://127.0.0.1:${proxy.port}` }, new Redis(url), proxy);
}

export async function createRedisClusterHarness(nodes: readonly string[]): Promise<StateStoreHarness> {
  const client = new Cluster(
    nodes.map((node) => ({ host: node.split(':')[0] ?? '', port: Number(node.split(':')[1]) })),
  );
  await client.get('knows its nodes after its first answer');
  return createHarness({ nodes }, client);
}

function createHarness(
  address: Omit<RedisStateStoreOptions, 'prefix'>,
  client: Redis | Cluster,
  proxy?: TcpProxy,
): StateStoreHarness {
  const options = { ...address, prefix: newPrefix() };
  const stores: StateStore[] = [];
  const keys = async (): Promise<readonly (readonly [Redis, string])[]> => {
    const found: (readonly [Redis, string])[] = [];
    for (const master of client instanceof Cluster ? client.nodes('master') : [client]) {
      for (const key of await master.keys(`{${options.prefix}:*`)) found.push([master, key]);
    }
    return found;
  };
  const wipe = async (): Promise<void> => {
    for (const [master, key] of await keys()) await master.del(key);
  };
  return {
    openStore: async () => {
      const store = await openRedisStateStore(options);
      stores.push(store);
      return store;
    },
    wipe,
    checkpoint: async () => {
      const copies: (readonly [Redis, string, Buffer])[] = [];
      for (const [master, key] of await keys()) copies.push([master, key, await master.dumpBuffer(key)]);
      return async () => {
        await wipe();
        for (const [master, key, copy] of copies) await master.restore(key, 0, copy);
      };
    },
    killWhileCommitting: (commitsMin) =>
      killWhileCommitting({ module: adapter, open: 'openRedisStateStore', options }, commitsMin),
    loseNextCommit: async (when) => {
      if (proxy === undefined) throw new Error('There is no proxy in front of a cluster.');
      proxy.loseNext(commitScript.sha, when);
    },
    close: async () => {
      for (const store of stores) await store.close();
      await wipe();
      client.disconnect();
      await proxy?.close();
    },
  };
}
