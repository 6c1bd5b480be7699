import { existsSync, readFileSync } from 'node:fs';
import type { CrashReport } from '../../runtime/engine/crash-points.ts';

/** What the processes that were killed at a point said at the last moment, in order. */
export function readCrashReports(file: string): readonly CrashReport[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as CrashReport);
}

/** A record was taken and not committed, or a lease was open. */
export const landedInFlight = ({ records, leases }: CrashReport): boolean => records > 0 || leases > 0;

/** How often each point killed, and how often in flight: `after-commit 3 (2 in flight)`. */
export function histogramOf(
  reports: readonly CrashReport[],
): ReadonlyMap<string, readonly [kills: number, inFlight: number]> {
  const histogram = new Map<string, readonly [number, number]>();
  for (const report of reports) {
    const [kills, inFlight] = histogram.get(report.point) ?? [0, 0];
    histogram.set(report.point, [kills + 1, inFlight + (landedInFlight(report) ? 1 : 0)]);
  }
  return histogram;
}

export function drawHistogram(reports: readonly CrashReport[]): string {
  const rows = [...histogramOf(reports)].sort(([a], [b]) => (a < b ? -1 : 1));
  return rows
    .map(([point, [kills, inFlight]]) => `${point.padEnd(16)} ${'█'.repeat(kills)} ${kills}, ${inFlight} in flight`)
    .join('\n');
}
