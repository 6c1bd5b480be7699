import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLmdbStateStore } from '../../../runtime/adapters/state/lmdb-state-store.ts';
import { stateStoreConformance } from '../../conformance/state-store/index.ts';
import { entry, getText, numbered, pages } from '../../conformance/state-store/state-store-builders.ts';
import { createLmdbHarness, lmdbFeatures, storedKeyCount } from './lmdb-harness.ts';
import { compiledFile } from '../../compiled.ts';

stateStoreConformance("lmdb (durability 'process')", () => createLmdbHarness('process'), lmdbFeatures);
stateStoreConformance("lmdb (durability 'disk')", () => createLmdbHarness('disk'), lmdbFeatures);

describe('the LMDB state store', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-lmdb-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const commitOnce = async (): Promise<void> => {
    const store = await openLmdbStateStore({ directory });
    await (await store.open('t/0')).commit(undefined, { position: 1, put: [entry('a', '1')], delete: [] });
    await store.close();
  };
  const openAndRead = async (): Promise<{ position: number | undefined; discarded: boolean }> => {
    let discarded = false;
    const onDiscarded = (): void => {
      discarded = true;
    };
    const store = await openLmdbStateStore({ directory, onDiscarded });
    const { position } = await store.open('t/0');
    await store.close();
    return { position, discarded };
  };
  const changeMark = async (change: object): Promise<void> => {
    const path = join(directory, 'boot.json');
    const mark = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...mark, ...change }));
  };

  it('empties itself when the machine went down while it was open without syncing', async () => {
    await commitOnce();
    await changeMark({ boot: 'an earlier boot', clean: false });
    expect(await openAndRead()).toEqual({ position: undefined, discarded: true });
  });

  it('keeps everything over a restart of the machine after a clean close', async () => {
    await commitOnce();
    await changeMark({ boot: 'an earlier boot' });
    expect(await openAndRead()).toEqual({ position: 1, discarded: false });
  });

  it("keeps everything over a restart of the machine with durability 'disk', closed cleanly or not", async () => {
    // First without syncing: what it left unsynced is brought to the disk before the mark says that all is there.
    await commitOnce();
    await changeMark({ clean: false });
    const store = await openLmdbStateStore({ directory, durability: 'disk' });
    await (await store.open('t/0')).commit(1, { position: 2, put: [entry('a', '2')], delete: [] });
    await changeMark({ boot: 'an earlier boot' });
    await store.close();
    expect(await openAndRead()).toEqual({ position: 2, discarded: false });
  });

  it('keeps everything after a killed process in the same boot', async () => {
    await commitOnce();
    await changeMark({ clean: false });
    expect(await openAndRead()).toEqual({ position: 1, discarded: false });
  });

  it('clears what a restore that never ended left behind', async () => {
    const store = await openLmdbStateStore({ directory });
    const state = await store.open('t/0');
    await state.commit(undefined, { position: 1, put: [entry('a', 'kept')], delete: [] });
    let written = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      written = resolve;
    });
    async function* stuck() {
      yield* pages(numbered(3000).map((key) => entry(key, 'left')));
      written();
      await new Promise(() => {});
    }
    void state.restore(9, stuck()).catch(() => {});
    await waiting;
    await store.close();
    expect(storedKeyCount(directory)).toBe(3001);
    const again = await openLmdbStateStore({ directory });
    const reopened = await again.open('t/0');
    expect([reopened.position, await getText(reopened, 'a')]).toEqual([1, 'kept']);
    await again.close();
    expect(storedKeyCount(directory)).toBe(1);
  });

  it('refuses a commit whole when the disk is full, and goes on with one that fits', () => {
    const child = compiledFile(new URL('disk-full-child.ts', import.meta.url));
    const limited = `ulimit -f 1024 && exec "$0" "$@"`;
    const output = execFileSync('bash', ['-c', limited, process.execPath, child, directory], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const told = JSON.parse(output) as Record<string, unknown>;
    expect(told).toMatchObject({ refusedWith: 'DISK_FULL', wholeBytes: 50_000, refused: null });
    expect(told['commits']).toBeGreaterThan(5);
  });

  it('refuses a second commit of an owner while one is under way', async () => {
    const store = await openLmdbStateStore({ directory });
    const state = await store.open('t/0');
    const first = state.commit(undefined, { position: 1, put: [], delete: [] });
    await expect(state.commit(undefined, { position: 1, put: [], delete: [] })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await first;
    await store.close();
  });
});
