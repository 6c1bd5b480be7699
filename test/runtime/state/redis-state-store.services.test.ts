import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openRedisStateStore } from '../../../runtime/adapters/state/redis-state-store.ts';
import type { StateStore } from '../../../runtime/ports/state-store.ts';
import { stateStoreConformance } from '../../conformance/state-store/index.ts';
import {
  allEntries,
  entry,
  expectCode,
  getText,
  numbered,
} from '../../conformance/state-store/state-store-builders.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { type OwnRedis, startOwnRedis } from './own-redis.ts';
import { createRedisClusterHarness, createRedisHarness, newPrefix } from './redis-harness.ts';

const redis = serviceAddress('MILLRACE_TEST_REDIS_URL', 'redis-up.sh');
const cluster = serviceAddress('MILLRACE_TEST_REDIS_CLUSTER', 'redis-cluster-up.sh');

describe.skipIf(redis.missing)('with a Redis', () => {
  stateStoreConformance('redis', () => createRedisHarness(redis.address), {
    killWhileCommitting: true,
    loseNextCommit: true,
  });
});

describe.skipIf(cluster.missing)('with a Redis Cluster', () => {
  stateStoreConformance('redis cluster', () => createRedisClusterHarness(cluster.address.split(',')), {
    killWhileCommitting: true,
    loseNextCommit: {
      skipped: 'the nodes tell clients their own addresses, past a proxy; client and script are those of one server',
    },
  });
});

describe.skipIf(redis.missing)('the Redis state store', () => {
  let own: OwnRedis;
  let client: Redis;
  const stores: StateStore[] = [];
  const openStore = async (timeoutMs?: number): Promise<StateStore> => {
    const store = await openRedisStateStore({ url: own.url, prefix: newPrefix(), timeoutMs });
    stores.push(store);
    return store;
  };
  beforeAll(async () => {
    own = await startOwnRedis();
    client = new Redis(own.url);
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  afterAll(async () => {
    client.disconnect();
    await own.stop();
  });

  it('refuses a server that may evict, and names the command that helps', async () => {
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(openStore()).rejects.toMatchObject({
      code: 'INVALID_CONFIGURATION',
      message: expect.stringMatching(
        /allkeys-lru.*redis-cli -h 127\.0\.0\.1 -p \d+ CONFIG SET maxmemory-policy noeviction/,
      ),
    });
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    await expect(openStore()).resolves.toBeDefined();
  });

  it('says that a server is not there', async () => {
    const unreachable = openRedisStateStore({ url: 'redis://127.0.0.1:1', prefix: newPrefix() });
    await expect(unreachable).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });

  it('commits after the server forgot its scripts', async () => {
    const state = await (await openStore()).open('t/0');
    await client.script('FLUSH');
    await state.commit(undefined, { position: 1, put: [entry('a', '1')], delete: [] });
    expect(await getText(state, 'a')).toBe('1');
  });

  it('refuses a commit whole when the memory is full, and goes on when there is space', async () => {
    const state = await (await openStore()).open('t/0');
    await state.commit(undefined, { position: 1, put: [entry('a', '1'), entry('b', '1')], delete: [] });
    await client.config('SET', 'maxmemory', '1mb');
    await expectCode(
      state.commit(1, { position: 2, put: [entry('a', '2'), entry('c', '2')], delete: [] }),
      'DISK_FULL',
    );
    const pages = async function* () {
      yield [entry('a', 'restored')];
    };
    await expectCode(state.restore(9, pages()), 'DISK_FULL');
    await client.config('SET', 'maxmemory', '1gb');
    expect(await allEntries(await state.snapshot())).toEqual([
      ['a', '1'],
      ['b', '1'],
    ]);
    await state.commit(1, { position: 2, put: [entry('a', '2')], delete: ['b'] });
  });

  it('says that an outcome is unknown when the server stands still, and reopens when it goes on', async () => {
    const store = await openStore(500);
    const state = await store.open('t/0');
    await state.commit(undefined, { position: 1, put: [], delete: [] });
    process.kill(own.pid(), 'SIGSTOP');
    await expectCode(state.commit(1, { position: 2, put: [], delete: [] }), 'UNKNOWN_OUTCOME');
    process.kill(own.pid(), 'SIGCONT');
    const reopened = await store.open('t/0');
    expect(reopened.position).toBe(2);
    await reopened.commit(2, { position: 3, put: [], delete: [] });
  });

  it('goes on with a server that was killed and started again', async () => {
    const store = await openStore();
    const state = await store.open('t/0');
    await state.commit(undefined, { position: 1, put: [entry('a', '1')], delete: [] });
    process.kill(own.pid(), 'SIGKILL');
    own.start();
    const reopened = await store.open('t/0');
    expect([reopened.position, await getText(reopened, 'a')]).toEqual([1, '1']);
    await reopened.commit(1, { position: 2, put: [], delete: [] });
  });

  it('writes images only while a snapshot runs, and leaves none behind', async () => {
    const state = await (await openStore()).open('t/0');
    await state.commit(undefined, { position: 1, put: numbered(900).map((key) => entry(key, '1')), delete: [] });
    const snapshot = await state.snapshot();
    await state.commit(1, { position: 2, put: [entry('k0001', '2')], delete: [] });
    expect((await client.keys('*:images')).length).toBe(1);
    expect((await allEntries(snapshot)).length).toBe(900);
    expect(await client.keys('*:images')).toEqual([]);
    await state.commit(2, { position: 3, put: [entry('k0002', '2')], delete: [] });
    expect(await client.keys('*:snapshot:*')).toEqual([]);
  });

  it('ends the snapshot of an owner that was replaced', async () => {
    const store = await openStore();
    const state = await store.open('t/0');
    await state.commit(undefined, { position: 1, put: numbered(900).map((key) => entry(key, '1')), delete: [] });
    const snapshot = await state.snapshot();
    const next = await store.open('t/0');
    await next.commit(1, { position: 2, put: [entry('k0899', '2')], delete: [] });
    await expectCode(allEntries(snapshot), 'FENCED');
  });
});
