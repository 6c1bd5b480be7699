/**
 * Which program logs into the folder of a spool: a file that names it, touched every ten seconds and by each entry. On another host, or among
 * other processes of this one, nothing but its age can be judged.
 */
import { existsSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';

const touchEveryMs = 10_000;
const freshMs = 60_000;

/** Folders that this process logs into. */
const here = new Map<string, NodeJS.Timeout>();

const ownerFile = (folder: string): string => join(folder, 'owner');

/** A disk that is full takes no file: this process knows all the same. */
export function hold(folder: string): void {
  try {
    writeFileSync(ownerFile(folder), `${place()} ${process.pid}`);
  } catch {
    // what it logs says more
  }
  clearInterval(here.get(resolve(folder)));
  const timer = setInterval(() => touch(folder), touchEveryMs);
  timer.unref();
  here.set(resolve(folder), timer);
}

export function touch(folder: string): void {
  const now = new Date();
  try {
    utimesSync(ownerFile(folder), now, now);
  } catch {
    // nobody holds it any more
  }
}

export function letGo(folder: string): void {
  clearInterval(here.get(resolve(folder)));
  here.delete(resolve(folder));
  rmSync(ownerFile(folder), { force: true });
}

/**
 * - `present`: its program logs into it.
 * - `silent`: a process of its number is there, and has not touched it for a minute: a program that is busy, or another one.
 * - `gone`: nobody does.
 */
export function ownerOf(folder: string): 'present' | 'silent' | 'gone' {
  if (here.has(resolve(folder))) return 'present';
  const file = ownerFile(folder);
  if (!existsSync(file)) return 'gone';
  const [where, pid] = readFileSync(file, 'utf8').split(' ');
  const fresh = Date.now() - statSync(file).mtimeMs < freshMs;
  if (where !== place()) return fresh ? 'present' : 'gone';
  if (!isAlive(Number(pid))) return 'gone';
  return fresh ? 'present' : 'silent';
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where a process is told by its number. */
function place(): string {
  try {
    return `${hostname()}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
