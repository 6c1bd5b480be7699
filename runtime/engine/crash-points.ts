/**
 * Named places at which tests kill the process, to show that nothing is lost there. Without MILLRACE_CRASH_AT they cost a comparison.
 *
 * MILLRACE_CRASH_AT is `<point>` or `<point>:<n>`: the process ends by SIGKILL when the point is passed for the n-th time.
 * MILLRACE_CRASH_REPORT names a file to which the point is appended first, for the histogram.
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

let armed: string | undefined;
let remaining = 1;

/** Arms a point: `<point>` or `<point>:<n>`. A process is armed by MILLRACE_CRASH_AT when it starts. */
export function armCrashPoint(spec: string | undefined): void {
  const [point, count] = (spec ?? '').split(':');
  armed = point === '' ? undefined : point;
  remaining = Number(count ?? '1');
}

armCrashPoint(process.env['MILLRACE_CRASH_AT']);

export function crashPoint(point: CrashPoint): void {
  if (armed !== point) return;
  remaining -= 1;
  if (remaining > 0) return;
  const report = process.env['MILLRACE_CRASH_REPORT'];
  if (report !== undefined) appendFileSync(report, `${point}\n`);
  process.kill(process.pid, 'SIGKILL');
}
