/** Quality of predictions for many classes. Undefined rates of a class are 0; an empty sample is refused. */
import { requireLength, requireMatrix, requireSameLength } from '../arguments.ts';
import { rocCurve } from './roc.ts';

export type Label = string | number;

export interface ClassMetrics {
  readonly label: Label;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Rows of this class. */
  readonly support: number;
}

export interface MulticlassMetrics {
  readonly labels: readonly Label[];
  /** confusion[i][j]: rows of class i predicted as class j. */
  readonly confusion: readonly (readonly number[])[];
  readonly accuracy: number;
  /** Mean recall over the classes that occur. */
  readonly balancedAccuracy: number;
  readonly perClass: readonly ClassMetrics[];
  /** Matthews' correlation for many classes (Gorodkin 2004); 0 when undefined. */
  readonly mcc: number;
  /** Cohen's kappa; 0 when undefined. */
  readonly kappa: number;
  readonly f1Micro: number;
  readonly f1Macro: number;
  readonly f1Weighted: number;
}

export interface ProbabilityMetrics extends MulticlassMetrics {
  /** Rows are scaled to sum 1 and clipped to [2^−52, 1 − 2^−52]. */
  readonly logLoss: number;
  /** Mean over rows of the squared distance to the truth's indicator, summed over classes. */
  readonly brier: number;
  /** Mean over classes of the one-versus-rest area; null when a class never, or always, occurs. */
  readonly rocAucOneVersusRest: number | null;
  /** Share of rows whose truth is among the two most probable classes; null for fewer than three classes. */
  readonly top2Accuracy: number | null;
}

/** @param labels in the order of the confusion matrix. @default all labels that occur, ascending */
export function multiclassMetrics(
  truth: readonly Label[],
  predicted: readonly Label[],
  labels: readonly Label[] = sortedLabels(truth, predicted),
): MulticlassMetrics {
  requireSameLength('truth', truth, 'predicted', predicted);
  requireLength('truth', truth, 1);
  const index = new Map(labels.map((label, i) => [label, i]));
  const confusion = labels.map(() => labels.map(() => 0));
  truth.forEach((label, row) => {
    const line = confusion[indexOf(index, label, 'truth', row)];
    const column = indexOf(index, predicted[row] ?? label, 'predicted', row);
    if (line !== undefined) line[column] = (line[column] ?? 0) + 1;
  });
  return metricsFromConfusion(labels, confusion);
}

/**
 * Metrics of class probabilities; the prediction is the most probable class, the first on ties.
 * @param probabilities one row per observation, one column per class, in the order of `classes`.
 */
export function probabilityMetrics(
  truth: readonly Label[],
  probabilities: readonly ArrayLike<number>[],
  classes: readonly Label[],
): ProbabilityMetrics {
  requireSameLength('truth', truth, 'probabilities', probabilities);
  const columns = requireMatrix('probabilities', probabilities);
  if (columns !== classes.length)
    throw new RangeError(`probabilities must have ${classes.length} columns, got ${columns}`);
  const rows = probabilities.map((row) => Array.from(row));
  const predicted = rows.map((row) => classes[row.indexOf(Math.max(...row))] ?? '');
  const index = new Map(classes.map((label, i) => [label, i]));
  let logLoss = 0;
  let brier = 0;
  let top2 = 0;
  rows.forEach((row, i) => {
    const own = indexOf(index, truth[i] ?? '', 'truth', i);
    const total = row.reduce((a, b) => a + b, 0);
    const p = (row[own] ?? 0) / total;
    logLoss -= Math.log(Math.min(1 - 2 ** -52, Math.max(2 ** -52, p)));
    brier += row.reduce((sum, q, j) => sum + (q - (j === own ? 1 : 0)) ** 2, 0);
    const better = row.filter((q, j) => q > (row[own] ?? 0) || (q === row[own] && j < own)).length;
    if (better < 2) top2 += 1;
  });
  const areas = classes.map((label, j) =>
    rocCurve(
      truth.map((t) => (t === label ? 1 : 0)),
      rows.map((row) => row[j] ?? 0),
    ),
  );
  const complete = areas.every((area) => area !== null);
  return {
    ...multiclassMetrics(truth, predicted, classes),
    logLoss: logLoss / rows.length,
    brier: brier / rows.length,
    rocAucOneVersusRest: complete ? areas.reduce((sum, area) => sum + (area?.auc ?? 0), 0) / areas.length : null,
    top2Accuracy: classes.length > 2 ? top2 / rows.length : null,
  };
}

/** The same metrics from a confusion table: confusion[i][j] counts rows of class i predicted as class j. */
export function metricsFromConfusion(
  labels: readonly Label[],
  confusion: readonly (readonly number[])[],
): MulticlassMetrics {
  const support = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const predicted = labels.map((_, j) => confusion.reduce((sum, row) => sum + (row[j] ?? 0), 0));
  const total = support.reduce((a, b) => a + b, 0);
  const hits = labels.map((_, i) => confusion[i]?.[i] ?? 0);
  const correct = hits.reduce((a, b) => a + b, 0);
  const perClass = labels.map((label, i) => {
    const hit = hits[i] ?? 0;
    const rows = support[i] ?? 0;
    const said = predicted[i] ?? 0;
    return {
      label,
      precision: ratio(hit, said),
      recall: ratio(hit, rows),
      f1: ratio(2 * hit, rows + said),
      support: rows,
    };
  });
  const present = perClass.filter((c) => c.support > 0);
  const chance = support.reduce((sum, s, i) => sum + s * (predicted[i] ?? 0), 0);
  const saidSpread = total * total - predicted.reduce((sum, s) => sum + s * s, 0);
  const rowSpread = total * total - support.reduce((sum, s) => sum + s * s, 0);
  return {
    labels,
    confusion,
    accuracy: correct / total,
    balancedAccuracy: present.reduce((sum, c) => sum + c.recall, 0) / present.length,
    perClass,
    mcc: ratio(correct * total - chance, Math.sqrt(saidSpread) * Math.sqrt(rowSpread)),
    kappa: ratio(correct * total - chance, total * total - chance),
    f1Micro: correct / total,
    f1Macro: perClass.reduce((sum, c) => sum + c.f1, 0) / perClass.length,
    f1Weighted: perClass.reduce((sum, c) => sum + c.f1 * c.support, 0) / total,
  };
}

function indexOf(index: ReadonlyMap<Label, number>, label: Label, name: string, row: number): number {
  const found = index.get(label);
  if (found === undefined) throw new RangeError(`${name}[${row}] is not among the labels: ${JSON.stringify(label)}`);
  return found;
}

function sortedLabels(truth: readonly Label[], predicted: readonly Label[]): Label[] {
  return [...new Set([...truth, ...predicted])].sort((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1,
  );
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
