/** Durations as people write them. */

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Milliseconds of `'90s'`, `'15m'`, `'1h30m'`, `'2d'`, or of a number of milliseconds; undefined when it is none. */
export function parseDurationMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || !/^(\d+(ms|[smhdw]))+$/.test(value)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of value.matchAll(/(\d+)(ms|[smhdw])/g)) {
    totalMs += Number(count) * unitsMs[unit as keyof typeof unitsMs];
  }
  return Number.isSafeInteger(totalMs) ? totalMs : undefined;
}

/** A duration in its largest whole unit: `90s`, `15m`, `1d`. */
export function durationText(ms: number): string {
  for (const [unit, size] of Object.entries(unitsMs).reverse()) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
