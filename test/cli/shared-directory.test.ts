/** Several commands on one directory: who begins, who waits for whom. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf } from '../../cli/shared-directory.ts';
import { lockDirectory } from '../../runtime/adapters/directory-lock.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-shared-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('a command on a directory', () => {
  it('opens it itself when nobody uses it', async () => {
    expect(await addressOf(directory)).toBeUndefined();
  });

  it('waits for the address of the command that was faster, and opens the directory when that goes without one', async () => {
    const first = await lockDirectory(directory, { formatVersion: 1 });
    const address = addressOf(directory);
    first.setAddress('http://127.0.0.1:1');
    expect(await address).toBe('http://127.0.0.1:1');
    first.release();
    const second = await lockDirectory(directory, { formatVersion: 1 });
    const nobody = addressOf(directory);
    second.release();
    expect(await nobody).toBeUndefined();
  });

  it('says which process uses it when that never says where it answers', async () => {
    const lock = await lockDirectory(directory, { formatVersion: 1 });
    await expect(addressOf(directory, 0)).rejects.toThrow(`process ${process.pid} uses ${directory}`);
    lock.release();
  });
});
