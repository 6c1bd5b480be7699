import { readdirSync, readFileSync } from 'node:fs';

/**
 * Members of a process group but its leader; undefined where the machine does not say (only Linux does).
 * A zombie has ended: it only waits to be collected.
 */
export function groupMembers(leader: number): readonly number[] | undefined {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => pid !== leader && isMember(pid, leader));
  } catch {
    return undefined;
  }
}

function isMember(pid: number, leader: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(group) === leader && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
