import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MillraceError } from '../ports/errors.ts';
import { type ProcessIdentity, isRunning, thisProcess } from './process-identity.ts';

/** Who uses a directory. */
export interface Instance {
  readonly pid: number;
  /** Where it answers, once it listens. */
  readonly url?: string | undefined;
}

export interface DirectoryLock {
  /** The format version with which the directory was made; at most the one that was asked for. */
  readonly formatVersion: number;
  /** Says where this process answers; `readInstance` tells others. */
  setAddress(url: string): void;
  /** The directory is in `formatVersion` from now on, after the caller moved its data. */
  setFormatVersion(formatVersion: number): void;
  /** Idempotent. */
  release(): void;
}

interface LockContent extends ProcessIdentity {
  readonly url?: string;
  /** Tells two locks of one process apart. */
  readonly token: string;
}

const heldHere = new Set<string>();

/**
 * Takes a directory for this process alone, and creates it if need be. The lock of a process that died, also by kill -9, is taken
 * over at once. LOCKED names the process that holds it; NEWER_FORMAT when a newer program wrote the directory.
 */
export async function lockDirectory(
  directory: string,
  { formatVersion }: { readonly formatVersion: number },
): Promise<DirectoryLock> {
  const path = join(resolve(directory), 'lock');
  mkdirSync(directory, { recursive: true });
  let content: LockContent = { ...thisProcess(), token: randomUUID() };
  acquire(path, directory, content);
  heldHere.add(content.token);
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    heldHere.delete(content.token);
    if (readLock(path)?.token === content.token) rmSync(path, { force: true });
  };
  try {
    return {
      formatVersion: checkFormat(directory, formatVersion),
      setAddress: (url) => {
        if (!held) return;
        content = { ...content, url };
        replace(path, content);
      },
      setFormatVersion: (version) => writeFormat(directory, version),
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** The process that uses a directory now; undefined when none runs. */
export function readInstance(directory: string): Instance | undefined {
  const content = readLock(join(directory, 'lock'));
  return content !== undefined && isHeld(content) ? { pid: content.pid, url: content.url } : undefined;
}

function acquire(path: string, directory: string, content: LockContent): void {
  for (let attempt = 0; attempt < 10; attempt++) {
    if (createWhole(path, content)) return;
    const holder = readLock(path);
    if (holder !== undefined && isHeld(holder)) throw locked(directory, holder);
    takeAway(path, holder?.token);
  }
  throw new MillraceError('LOCKED', `The lock of ${directory} changes hands all the time. Start one process only.`);
}

/** A link appears whole or not at all, and fails when the lock is there already. */
function createWhole(path: string, content: LockContent): boolean {
  const part = `${path}.${content.token}`;
  writeFileSync(part, JSON.stringify(content));
  try {
    linkSync(part, path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(part, { force: true });
  }
}

/** Removes a stale lock. When another process was faster, what was taken away is its lock: that is put back. */
function takeAway(path: string, staleToken: string | undefined): void {
  if (readLock(path)?.token !== staleToken) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  const taken = readLock(aside);
  if (taken !== undefined && taken.token !== staleToken) createWhole(path, taken);
  rmSync(aside, { force: true });
}

function isHeld(content: LockContent): boolean {
  return content.pid === process.pid ? heldHere.has(content.token) : isRunning(content);
}

function locked(directory: string, { pid, url }: LockContent): MillraceError {
  const where = url === undefined ? '' : ` (it answers at ${url})`;
  return new MillraceError(
    'LOCKED',
    `Process ${pid} uses ${directory}${where}. Stop it, or choose another directory.`,
    {
      details: { directory, pid, url },
    },
  );
}

function readLock(path: string): LockContent | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isLockContent(content) ? content : undefined;
  } catch {
    return undefined;
  }
}

const isLockContent = (content: unknown): content is LockContent =>
  typeof content === 'object' &&
  content !== null &&
  'pid' in content &&
  Number.isInteger(content.pid) &&
  'token' in content &&
  typeof content.token === 'string';

function checkFormat(directory: string, supported: number): number {
  const found = readFormat(directory, supported);
  if (found === undefined) writeFormat(directory, supported);
  return found ?? supported;
}

/** The format of a directory, without touching it; undefined when it has none yet. NEWER_FORMAT when it is above `supported`, CORRUPT when it says nothing. */
export function readFormat(directory: string, supported: number): number | undefined {
  const path = join(directory, 'format.json');
  if (!existsSync(path)) return undefined;
  const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const found =
    typeof content === 'object' && content !== null && 'formatVersion' in content ? content.formatVersion : undefined;
  if (typeof found !== 'number')
    throw new MillraceError('CORRUPT', `${path} does not say a format version. Restore it, or remove the directory.`);
  if (found > supported)
    throw new MillraceError(
      'NEWER_FORMAT',
      `${directory} is in format ${found}; this program knows formats up to ${supported}. Use a newer version of millrace.`,
      { details: { directory, found, supported } },
    );
  return found;
}

function writeFormat(directory: string, formatVersion: number): void {
  const path = join(directory, 'format.json');
  writeFileSync(`${path}.part`, `${JSON.stringify({ formatVersion })}\n`);
  renameSync(`${path}.part`, path);
}

function replace(path: string, content: LockContent): void {
  writeFileSync(`${path}.${content.token}`, JSON.stringify(content));
  renameSync(`${path}.${content.token}`, path);
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
