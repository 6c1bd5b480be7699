import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openEmbeddedLog } from '../../../runtime/adapters/embedded-log/embedded-log.ts';
import type { EmbeddedLogOptions } from '../../../runtime/adapters/embedded-log/embedded-log-options.ts';
import type { Log } from '../../../runtime/ports/log.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A folder that is gone after the test. */
export async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-embedded-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A log that is closed after the test, if it can be. */
export async function openLog(directory: string, options: Partial<EmbeddedLogOptions> = {}): Promise<Log> {
  const log = await openEmbeddedLog({
    directory,
    durability: 'process',
    onProblem: () => undefined,
    ...options,
  });
  cleanups.push(() => log.close().catch(() => undefined));
  return log;
}

/** The file of a partition's segment. */
export const segmentFile = (directory: string, topic: string, partition = 0, base = 0): string =>
  join(directory, 'topics', topic, String(partition), `${String(base).padStart(20, '0')}.log`);
