import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { createDirectoryHarness } from '../../conformance/blob-store/directory-harness.ts';
import { blobStoreConformance } from '../../conformance/blob-store/index.ts';
import { killWhilePutting } from '../../conformance/blob-store/kill-child.ts';
import { compiledFile } from '../../compiled.ts';

blobStoreConformance("a directory (durability 'process')", () => createDirectoryHarness('process'));
blobStoreConformance("a directory (durability 'disk')", () => createDirectoryHarness('disk'));

describe('the directory blob store', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-blobs-'));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const parts = (): Promise<readonly string[]> => readdir(join(directory, 'parts'));

  it('removes the part files of a killed process when it is opened', async () => {
    const module = compiledFile(new URL('../../../runtime/adapters/blobs/directory-blob-store.ts', import.meta.url));
    await killWhilePutting({ module, open: 'openDirectoryBlobStore', options: { directory } }, 1);
    expect(await parts()).toHaveLength(1);
    await openDirectoryBlobStore({ directory });
    expect(await parts()).toEqual([]);
  });

  it('leaves part files alone that may still be written: of this process, and young ones of other machines', async () => {
    const store = await openDirectoryBlobStore({ directory });
    let release = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    let began = (): void => {};
    const beginning = new Promise<void>((resolve) => {
      began = resolve;
    });
    async function* slow() {
      yield Buffer.from('one ');
      began();
      await waiting;
      yield Buffer.from('two');
    }
    const putting = store.put(slow());
    await beginning;
    const young = 'ffffffff-1-0123456789abcdef01234567.part';
    const old = 'ffffffff-2-0123456789abcdef01234567.part';
    for (const name of [young, old]) await writeFile(join(directory, 'parts', name), 'x');
    await utimes(join(directory, 'parts', old), new Date(0), new Date(0));
    await openDirectoryBlobStore({ directory });
    expect(await parts()).toHaveLength(2);
    expect(await parts()).toContain(young);
    release();
    const { hash } = await putting;
    expect((await store.get(hash)).toString()).toBe('one two');
    expect(await parts()).toEqual([young]);
  });

  it('says that the disk is full, and keeps nothing of the blob', () => {
    const child = compiledFile(new URL('disk-full-child.ts', import.meta.url));
    const limited = `ulimit -f 1024 && exec "$0" "$@"`;
    const output = execFileSync('bash', ['-c', limited, process.execPath, child, directory], { encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual({ codes: ['DISK_FULL', 'DISK_FULL'], blobs: 1, parts: 0 });
  });

  it('takes no notice of other files in its directory', async () => {
    const store = await openDirectoryBlobStore({ directory });
    const { hash } = await store.put(Buffer.from('blob'));
    await writeFile(join(directory, hash.slice(0, 2), hash.slice(2, 4), 'notes.txt'), 'mine');
    await writeFile(join(directory, 'README'), 'mine');
    const listed: unknown[] = [];
    for await (const page of store.list()) listed.push(...page);
    expect(listed).toEqual([{ hash, sizeBytes: 4, putAtMs: expect.any(Number) }]);
  });
});
