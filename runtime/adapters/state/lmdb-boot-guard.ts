import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Without syncing, LMDB's file survives the death of every process, but a power loss may tear it. This guard notices one: a
 * file that was not closed cleanly and was last used before the machine's present boot is not to be trusted. State is derived,
 * so the guard removes it, and each task is rebuilt from its newest snapshot and the log.
 */
export interface BootGuard {
  /** True when the store must sync as it goes: it is asked to, or the machine does not say which boot this is. */
  readonly syncs: boolean;
  /** True when the files of `directory` were removed. */
  readonly discarded: boolean;
  /** To be called after the last write: brings the file to the disk and says so. */
  closedCleanly(): void;
}

/** For a directory that another thread of this process guards. */
export function guardOfAnother(waitsForDisk: boolean): BootGuard {
  return { syncs: waitsForDisk || bootId() === undefined, discarded: false, closedCleanly: () => {} };
}

export function guardAgainstPowerLoss(directory: string, waitsForDisk: boolean): BootGuard {
  const path = join(directory, 'boot.json');
  const boot = bootId();
  const syncs = waitsForDisk || boot === undefined;
  const before = readMark(path);
  const torn = before !== undefined && !before.clean && before.boot !== boot;
  if (torn) for (const file of ['data.mdb', 'lock.mdb']) rmSync(join(directory, file), { force: true });
  // The mark must be on the disk before what it speaks of changes.
  const write = (clean: boolean): void => {
    writeFileSync(`${path}.part`, `${JSON.stringify({ boot: boot ?? '', clean })}\n`);
    syncFile(`${path}.part`);
    renameSync(`${path}.part`, path);
    syncFile(directory);
  };
  const data = join(directory, 'data.mdb');
  // A store that syncs as it goes is as good after a power loss as after a clean close, once the disk has what an earlier one did not sync.
  if (syncs && existsSync(data)) syncFile(data);
  write(syncs);
  return {
    syncs,
    discarded: torn,
    closedCleanly: () => {
      if (syncs) return;
      syncFile(data);
      write(true);
    },
  };
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function readMark(path: string): { readonly boot: string; readonly clean: boolean } | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const mark: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof mark !== 'object' || mark === null) return { boot: '', clean: false };
    return {
      boot: 'boot' in mark && typeof mark.boot === 'string' ? mark.boot : '',
      clean: 'clean' in mark && mark.clean === true,
    };
  } catch {
    return { boot: '', clean: false };
  }
}

function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
