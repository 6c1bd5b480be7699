/** Classification metrics of a stream: a confusion table as a plain document for a fold; documents merge. */
import { type MulticlassMetrics, metricsFromConfusion } from './multiclass.ts';

export interface RunningClassification {
  readonly count: number;
  /** counts[truth][predicted] */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Labels beyond the bound are counted under this one, so that the state stays bounded. */
export const OTHER_LABEL = '(other)';

const LABELS_MAX = 100;

export const EMPTY_CLASSIFICATION: RunningClassification = { count: 0, counts: {} };

/** The state after one more row. Labels are texts; the first 100 are told apart. */
export function addClassification(
  state: RunningClassification,
  truth: string,
  predicted: string,
): RunningClassification {
  return addCounts(state, truth, predicted, 1);
}

/** The state of both streams together. */
export function mergeClassification(a: RunningClassification, b: RunningClassification): RunningClassification {
  let merged = a;
  for (const [truth, row] of Object.entries(b.counts)) {
    for (const [predicted, n] of Object.entries(row)) merged = addCounts(merged, truth, predicted, n);
  }
  return merged;
}

/** Metrics of all rows so far; null while empty. */
export function runningClassificationMetrics(state: RunningClassification): MulticlassMetrics | null {
  if (state.count === 0) return null;
  const labels = labelsOf(state);
  const confusion = labels.map((truth) => labels.map((predicted) => countOf(state, truth, predicted)));
  return metricsFromConfusion(labels, confusion);
}

function addCounts(state: RunningClassification, truth: string, predicted: string, n: number): RunningClassification {
  const known = new Set(labelsOf(state));
  const row = bounded(known, truth);
  const column = bounded(known, predicted);
  const line = Object.hasOwn(state.counts, row) ? state.counts[row] : {};
  return {
    count: state.count + n,
    counts: { ...state.counts, [row]: { ...line, [column]: countOf(state, row, column) + n } },
  };
}

/** Labels are other people's texts: "constructor" must not find what every object inherits. */
function countOf(state: RunningClassification, truth: string, predicted: string): number {
  const row = Object.hasOwn(state.counts, truth) ? state.counts[truth] : undefined;
  return row !== undefined && Object.hasOwn(row, predicted) ? (row[predicted] ?? 0) : 0;
}

function bounded(known: Set<string>, label: string): string {
  if (!known.has(label) && known.size >= LABELS_MAX) return OTHER_LABEL;
  known.add(label);
  return label;
}

function labelsOf(state: RunningClassification): string[] {
  const labels = Object.entries(state.counts).flatMap(([truth, row]) => [truth, ...Object.keys(row)]);
  return [...new Set(labels)].sort();
}
