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
