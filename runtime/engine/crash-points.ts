/**
 * Named places at which tests kill the process, to show that nothing is lost there. Without MILLRACE_CRASH_AT they cost a comparison.
 *
 * MILLRACE_CRASH_AT is `<point>` or `<point>:<n>`: the process ends by SIGKILL when the point is passed for the n-th time; `any:<n>`
 * counts the passes of all points. MILLRACE_CRASH_REPORT names a file to which a line is appended first: a {@link CrashReport} as JSON.
 */
import { appendFileSync } from 'node:fs';

export const crashPoints = [
  'before-poll',
  'after-poll',
  'before-fold',
  'after-fold',
  'before-commit',
  'after-commit',
  'before-append',
  'after-append',
  'before-report',
  'after-report',
  'before-claim',
  'after-claim',
  'before-upload',
  'after-upload',
  'before-complete',
  'after-complete',
  'before-load',
  'after-load',
  'before-batch',
  'after-batch',
  'before-reply',
  'after-reply',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

/** What a process held when it was killed: a fault landed in flight when either is more than 0. */
export interface InFlight {
  /** Taken from a queue and not committed. */
  readonly records: number;
  /** Leases of steps that are open. */
  readonly leases: number;
}

export interface CrashReport extends InFlight {
  readonly point: CrashPoint;
  readonly pid: number;
}

let armed: string | undefined;
let remaining = 1;

/** Arms a point: `<point>` or `<point>:<n>`. A process is armed by MILLRACE_CRASH_AT when it starts. */
export function armCrashPoint(spec: string | undefined): void {
  const [point, count] = (spec ?? '').split(':');
  armed = point === '' ? undefined : point;
  remaining = Number(count ?? '1');
}

armCrashPoint(process.env['MILLRACE_CRASH_AT']);

let inFlight = (): InFlight => ({ records: 0, leases: 0 });

/** Says how to find out what this process holds. */
export function reportInFlight(count: () => InFlight): void {
  inFlight = count;
}

export function crashPoint(point: CrashPoint): void {
  if (armed === undefined || (armed !== point && armed !== 'any')) return;
  remaining -= 1;
  if (remaining > 0) return;
  const report = process.env['MILLRACE_CRASH_REPORT'];
  if (report !== undefined) {
    const line: CrashReport = { point, pid: process.pid, ...inFlight() };
    appendFileSync(report, `${JSON.stringify(line)}\n`);
  }
  process.kill(process.pid, 'SIGKILL');
}
