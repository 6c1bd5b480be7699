import type { MonitorSettings } from './deployment-document.ts';

/**
 * Settings that suit tables of some ten features at a few rows a second or more. Measured on diamonds over 50 shuffles, with
 * {@link recommendedReferenceRows} rows as the reference: no alarm in 10,000 rows of the training population, and the alarm within
 * {@link rowsToAlarm} rows after a shift to stones of 1.5 carat and more.
 *
 * Two windows in a row must differ in a feature with p ≤ 0.001 / features AND a distance of 0.15: p-values alone call any difference of
 * a large enough window a drift, and distances alone call the noise of a small one.
 */
export const recommendedMonitors = {
  window: { rows: 250, minRows: 50, maxAgeMs: 10_000 },
  drift: { alpha: 0.001, correction: 'bonferroni', minEffectSize: 0.15, raiseAfter: 2, clearAfter: 3 },
  outliers: { falsePositiveRate: 0.005 },
  experiment: { assessEvery: 500, alpha: 0.05 },
} as const satisfies Omit<MonitorSettings, 'referenceHash'>;

/** Rows of the training data that the reference sample should hold. */
export const recommendedReferenceRows = 2_000;

/** Five windows: up to a fifth of one passes unnoticed, two must be full, and rows of six partitions wait to be a batch. */
export const rowsToAlarm = 5 * recommendedMonitors.window.rows;
