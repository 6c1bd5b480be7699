import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A part of another machine is given up after this long. */
const foreignPartAgeMsMax = 24 * 60 * 60 * 1000;
const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const partPattern = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{24}\.part$/;

/**
 * A name for a file that is being written: `<host>-<pid>-<random>.part`, so that a later process can tell which of them nobody
 * writes any more, also where several processes, or several machines, share the folder.
 */
export const newPartName = (): string => `${host}-${process.pid}-${randomBytes(12).toString('hex')}.part`;

/** Removes the part files that nobody writes any more. */
export async function sweepParts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (await isOrphan(name, path)) await rm(path, { force: true });
  }
}

async function isOrphan(name: string, path: string): Promise<boolean> {
  const [, partHost, pidText] = partPattern.exec(name) ?? [];
  const pid = Number(pidText);
  const modifiedMs = await modifiedMsOf(path);
  if (partHost !== host) return Date.now() - modifiedMs > foreignPartAgeMsMax;
  // In a container each start has the same pid: what is older than this process is an earlier one's.
  if (pid === process.pid) return modifiedMs < Date.now() - process.uptime() * 1000;
  return !isAlive(pid);
}

async function modifiedMsOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
