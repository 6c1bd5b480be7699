/** A monitored deployment of ten features, and rows of it. */
import type { MonitorSettings } from '../../schemas/deployment-document.ts';
import type { Column } from '../../schemas/events.ts';
import { seededRandom } from '../../statistics/random.ts';

export const windowRows = 1_000;
const random = seededRandom('bench monitoring');
const categories = 4;
export const features = Array.from({ length: 10 }, (_, column) => ({
  name: `f${column}`,
  kind: column < 8 ? ('numeric' as const) : ('categorical' as const),
}));
/** KS, chi-squared and PSI against a reference sample, which is to be named. */
export const monitors = {
  window: { rows: windowRows, minRows: 100, maxAgeMs: 600_000 },
  drift: { alpha: 0.001, correction: 'bonferroni', minEffectSize: 0.1, raiseAfter: 1, clearAfter: 1 },
} as const satisfies MonitorSettings;

/** Values of the ten features: eight normal, two codes of four categories. */
export function columnsOf(rows: number): readonly Column[] {
  return features.map(({ name, kind }) => ({
    name,
    values: Array.from({ length: rows }, () => (kind === 'numeric' ? random.normal() : random.integer(categories))),
  }));
}
