/** Rows of windows of feature statistics. Each deployment has so many slots, so the newest windows are kept. */
import type { FeaturesSummarized } from '../../../schemas/events.ts';
import type { Change } from '../rows.ts';

/** A week of minutes. */
const slots = 10_080;
/** Of one time: a new version takes over within a window, so there are two, and seldom more. */
const versionSlots = 4;

/** A column of `feature_windows.columns`: as the event has it, but for numbers that JSON does not have. */
export type StoredColumn = FeaturesSummarized['columns'][number];

export function featureWindow(data: FeaturesSummarized): Change {
  const { deployment, deploymentVersion: version, startMs, endMs, rows, predictions, lateRows, columns } = data;
  const slot = Math.floor(startMs / (endMs - startMs)) % slots;
  const row = {
    deployment,
    version,
    version_slot: version % versionSlots,
    slot,
    start_ms: startMs,
    end_ms: endMs,
    rows,
    predictions,
    late_rows: lateRows,
    columns: JSON.stringify(columns),
  };
  return { table: 'feature_windows', row, set: 'all' };
}
