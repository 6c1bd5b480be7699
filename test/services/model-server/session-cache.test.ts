import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { type BlobStore, MillraceError, type ModelRuntime, systemClock } from '../../../runtime/ports/index.ts';
import { SessionCache } from '../../../services/model-server/session-cache.ts';
import { LinearRuntime } from './linear-runtime.ts';

let directory: string;
let blobs: BlobStore;
let models: LinearRuntime;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-sessions-'));
  blobs = await openDirectoryBlobStore({ directory, durability: 'process' });
  models = new LinearRuntime();
});
afterEach(async () => {
  await blobs.close();
  await rm(directory, { recursive: true, force: true });
});

const model = async (bias: number): Promise<string> =>
  (await blobs.put(Buffer.from(JSON.stringify({ weights: [1], bias })))).hash;

function cache(limits: { sessionsMax?: number; bytesMax?: number; loadTimeoutMs?: number } = {}, store = blobs) {
  return new SessionCache({ models, blobs: store, clock: systemClock, ...limits }, (loaded) => loaded);
}

describe('the session cache', () => {
  it('loads a model once, however many ask at the same time', async () => {
    const sessions = cache();
    const hash = await model(1);
    const leases = await Promise.all([1, 2, 3].map(() => sessions.acquire(hash)));
    expect(models.loads).toBe(1);
    expect(new Set(leases.map(({ session }) => session)).size).toBe(1);
    expect(sessions.acquireLoaded(hash)).toBeDefined();
    await sessions.close();
    expect(models.open).toBe(0);
  });

  it('closes the model that was unused for longest, and none in use', async () => {
    const sessions = cache({ sessionsMax: 2 });
    const [a, b, c] = [await model(1), await model(2), await model(3)];
    const inUse = await sessions.acquire(a);
    sessions.release(await sessions.acquire(b));
    sessions.release(await sessions.acquire(c));
    expect([a, b, c].map((hash) => sessions.acquireLoaded(hash) !== undefined)).toEqual([true, false, true]);
    expect(models.open).toBe(2);
    sessions.release(inUse);
    await sessions.close();
  });

  it('keeps within its bytes', async () => {
    const sessions = cache({ bytesMax: 30 });
    for (const bias of [1, 2, 3]) sessions.release(await sessions.acquire(await model(bias)));
    expect(sessions.size).toBe(1);
    await sessions.close();
  });

  it('remembers a refused file, but asks again for one that was not there', async () => {
    const sessions = cache();
    const { hash } = await blobs.put(Buffer.from('no model'));
    for (let i = 0; i < 2; i++) await expect(sessions.acquire(hash)).rejects.toMatchObject({ code: 'MODEL_REFUSED' });
    expect(models.loads).toBe(1);
    const bytes = Buffer.from(JSON.stringify({ weights: [1], bias: 9 }));
    const late = (await blobs.put(bytes)).hash;
    await blobs.delete(late);
    await expect(sessions.acquire(late)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await blobs.put(bytes);
    sessions.release(await sessions.acquire(late));
    await sessions.close();
  });

  it('says what a long load does to whoever does not wait for its end, and goes on with it', async () => {
    let done = (): void => undefined;
    let building = (): void => undefined;
    const gate = new Promise<void>((resolve) => (done = resolve));
    const begun = new Promise<void>((resolve) => (building = resolve));
    const slow: ModelRuntime = {
      load: async (bytes, progress) => {
        progress?.('building an environment of 24 packages');
        building();
        await gate;
        return await models.load(bytes);
      },
    };
    const sessions = new SessionCache({ models: slow, blobs, clock: systemClock }, (loaded) => loaded);
    const hash = await model(1);
    const waited = sessions.acquire(hash, 'models:/slow/1');
    await begun;
    await expect(sessions.acquire(hash, 'models:/slow/1', 5)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
      message: expect.stringMatching(
        /^it has been loading for \d+ s \(building an environment of 24 packages\): ask again in a while$/,
      ) as string,
    });
    expect(sessions.loading(hash)).toContain('building an environment of 24 packages');
    done();
    sessions.release(await waited);
    expect([models.loads, sessions.loading(hash)]).toEqual([1, undefined]);
    await sessions.close();
  });

  it('goes on trying while the blob store is away, and gives up at its deadline', async () => {
    const hash = await model(1);
    let failures = 2;
    const flaky = new Proxy(blobs, {
      get: (target, property) => {
        if (property !== 'get') return Reflect.get(target, property) as unknown;
        return (wanted: string) => {
          failures -= 1;
          return failures >= 0 ? Promise.reject(new MillraceError('UNAVAILABLE', 'away')) : target.get(wanted);
        };
      },
    });
    const sessions = cache({}, flaky);
    sessions.release(await sessions.acquire(hash));
    await sessions.close();
    failures = Number.POSITIVE_INFINITY;
    const hasty = cache({ loadTimeoutMs: 60 }, flaky);
    await expect(hasty.acquire(hash)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await hasty.close();
  });
});
