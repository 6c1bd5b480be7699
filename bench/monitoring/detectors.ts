/**
 * The numbers of monitoring by themselves, in one thread and processor time: KS, chi-squared and PSI over ten features, MMD, isolation
 * forest, ADWIN; beside them the same by SciPy, NumPy, scikit-learn and River, installed outside of the project unless they are there already
 * (needs Python 3 with venv); `--alone` leaves them out.
 * Run: `npx tsx bench/monitoring/detectors.ts [rows] [--alone] [--json]`.
 */
import { type Detector, detectorsOf } from '../../schemas/detectors.ts';
import type { Column } from '../../schemas/events.ts';
import { parseReference, referenceBytes } from '../../services/scorer/reference-sample.ts';
import { scoreWindow } from '../../services/scorer/score-window.ts';
import { type AdwinState, EMPTY_ADWIN, stepAdwin } from '../../statistics/online/adwin.ts';
import { fitIsolationForest, scoreIsolationForest } from '../../statistics/outliers/iforest.ts';
import { mmdTest } from '../../statistics/drift/mmd.ts';
import { median } from '../../statistics/samples/quantiles.ts';
import { seededRandom } from '../../statistics/random.ts';
import { type Figure, positionals, sayFigures } from '../figures.ts';
import { type PythonFigures, pythonFigures } from '../peers/python-detectors.ts';
import { columnsOf, features, monitors, windowRows } from './monitored-deployment.ts';

const rows = Number(positionals[0] ?? 200_000);
const random = seededRandom('bench detectors');
const normals = (count: number): number[][] =>
  Array.from({ length: count }, () => Array.from({ length: features.length }, () => random.normal()));

const [detector] = detectorsOf({ monitors: { ...monitors, referenceHash: 'a'.repeat(64) } }) as [Detector];
const reference = parseReference(referenceBytes(columnsOf(1_000), []));
const ids = Array.from({ length: windowRows }, (_, row) => String(row));
const windows = Array.from({ length: 20 }, () => columnsOf(windowRows));
const tests = processorSeconds(() => {
  for (let window = 0; window * windowRows < rows; window++) judge(window, windows[window % windows.length] ?? []);
});
const mmd = Array.from({ length: 5 }, () => {
  const [x, y] = [normals(500), normals(500)];
  return 1_000 * processorSeconds(() => mmdTest(x, y, random, { permutations: 100 }));
});
const table = normals(50_000);
const forest = fitIsolationForest(table.slice(0, 2_000), random, {});
const scoring = processorSeconds(() => {
  for (const row of table) scoreIsolationForest(forest, row);
});
const stream = Array.from({ length: 100_000 }, () => random.normal());
const adwin = processorSeconds(() => {
  let state: AdwinState = EMPTY_ADWIN;
  for (const value of stream) state = stepAdwin(state, value).state;
});

const theirs: Partial<PythonFigures> = process.argv.includes('--alone') ? {} : await pythonFigures();
const figures: readonly Figure[] = [
  beside('KS, chi-squared and PSI of windows of 1,000', 'rows/s', rows / tests, theirs.windows),
  beside('MMD of 500 × 500 rows, 100 permutations', 'ms', median(mmd), theirs.mmd),
  beside('isolation forest scoring', 'rows/s', table.length / scoring, theirs.forest),
  beside('ADWIN', 'values/s', stream.length / adwin, theirs.adwin),
];
for (const { name, value, unit, baseline } of figures) {
  const whole = (number: number): string => Math.round(number).toLocaleString('en');
  const compared = baseline === undefined ? '' : `, by Python ${whole(baseline)}`;
  console.log(`${name.padEnd(50)} ${whole(value)} ${unit}${compared}`);
}
sayFigures(figures);

function judge(window: number, columns: readonly Column[]): void {
  const whole = { windowId: `w${window}`, rows: windowRows, columns, outputs: [], predictionIds: ids, features };
  scoreWindow(detector, whole, reference);
}

function beside(name: string, unit: string, value: number, baseline: number | undefined): Figure {
  if (baseline === undefined) return { name, value, unit };
  return { name, value, unit, baseline, ratio: unit === 'ms' ? baseline / value : value / baseline };
}

/** So that others on the machine do not count. */
function processorSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return process.cpuUsage(before).user / 1e6;
}
