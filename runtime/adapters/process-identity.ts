import { readFileSync } from 'node:fs';

/** A process, told apart from a later one with the same pid where the machine says when it started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot of the machine and start of the process; '' where it does not say. */
  readonly started: string;
}

export const thisProcess = (): ProcessIdentity => ({ pid: process.pid, started: startOf(process.pid) ?? '' });

/** Whether that very process still runs. Without start times, another process with its pid counts as the same. */
export function isRunning({ pid, started }: ProcessIdentity): boolean {
  const now = startOf(pid);
  if (now !== undefined && started !== '') return now === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Identity of the machine's present boot; undefined where it does not say. */
export function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

function startOf(pid: number): string | undefined {
  const boot = bootId();
  if (boot === undefined) return undefined;
  try {
    // The second field is the program's name in parentheses, which may hold anything; the start is the 22nd field.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: it only waits to be collected.
    return fields[0] === 'Z' || fields[0] === 'X' ? `${boot}/ended` : `${boot}/${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}
