import { readdirSync, readFileSync } from 'node:fs';

/** A process and everything below it, by the parents that /proc names. */
export function treeOf(root: number): readonly number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), Number(statusField(name, 'PPid'))] as const);
  const tree = [root];
  for (const pid of tree) tree.push(...parents.filter(([, parent]) => parent === pid).map(([child]) => child));
  return tree;
}

/** Resident memory of these processes together, MiB; what they share is counted in each. */
export function residentMebibytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + Number.parseInt(statusField(String(pid), 'VmRSS') || '0', 10), 0) / 1024;
}

/** Resident memory of these processes together, pages that they share counted once, and what of it are pages of files, which the system takes back when it needs them: MiB. */
export function sharedMebibytes(pids: readonly number[]): { readonly all: number; readonly files: number } {
  const texts = pids.map(rollup);
  const sumOf = (field: string): number =>
    texts.reduce((sum, text) => sum + Number(new RegExp(`^${field}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0), 0) / 1024;
  return { all: sumOf('Pss'), files: sumOf('Pss_File') + sumOf('Pss_Shmem') };
}

function rollup(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  } catch {
    return ''; // It ended meanwhile.
  }
}

/** User and system time of these processes so far, milliseconds, in steps of ten. */
export function cpuMilliseconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + 10 * ticksOf(pid), 0);
}

function ticksOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}

function statusField(pid: string, field: string): string {
  try {
    const line = readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .find((text) => text.startsWith(`${field}:`));
    return line?.slice(field.length + 1).trim() ?? '';
  } catch {
    return ''; // It ended meanwhile.
  }
}
