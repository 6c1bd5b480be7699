import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { StepFiles } from '../../../runtime/adapters/process-executor/step-files.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';

it('keeps files in its cache whatever could not be fetched', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-files-'));
  const big = 'b'.repeat(64);
  const stream = async function* (hash: string) {
    if (hash === big) throw new Error('the store is away');
    yield await Promise.resolve(Buffer.from('bytes'));
  };
  const files = await StepFiles.open(folder, { stream } as unknown as BlobStore);
  const fetched = async (hash: string, sizeBytes: number): Promise<string> => {
    const lease = new Set<string>();
    return await files.file(hash, sizeBytes, lease).finally(() => files.release(lease));
  };
  await expect(fetched(big, 1024 ** 3)).rejects.toThrow('the store is away');
  const first = await fetched('a'.repeat(64), 5);
  await fetched('c'.repeat(64), 5);
  await fetched('d'.repeat(64), 5);
  expect(existsSync(first)).toBe(true);
  await files.close();
  await rm(folder, { recursive: true });
});
