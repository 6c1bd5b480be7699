/**
 * The numbers of monitoring: predictions through feature batching, windows and KS with chi-squared; MMD; isolation forest. One thread,
 * synchronous, no log: what a row costs. Beside them, where there is a Python with SciPy, scikit-learn and River (`MILLRACE_PYTHON`), the
 * same by those, on the same numbers of rows. Run: `npx tsx bench/monitoring/detectors.ts [rows] [--json]`.
 */
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import { detectorsOf } from '../../schemas/detectors.ts';
import type { ObservationsSampled, WindowClosed } from '../../schemas/events.ts';
import { parseReference, referenceBytes } from '../../services/scorer/reference-sample.ts';
import { scoreWindow } from '../../services/scorer/score-window.ts';
import { fitIsolationForest, scoreIsolationForest } from '../../statistics/iforest.ts';
import { mmdTest } from '../../statistics/mmd.ts';
import { seededRandom } from '../../statistics/random.ts';
import { observationWindows } from '../../topologies/observation-windows.ts';
import { type Figure, positionals, sayFigures } from '../figures.ts';
import { pythonFigures } from '../peers/python-detectors.ts';

const rows = Number(positionals[0] ?? 200_000);
const random = seededRandom('bench detectors');
const normal = (): number => random.normal();
const code = (): number => random.integer(4);
const columnsOf = (count: number) =>
  Array.from({ length: 10 }, (_, column) => ({
    name: `f${column}`,
    values: Array.from({ length: count }, column < 8 ? normal : code),
  }));
const features = columnsOf(1).map(({ name }, column) => ({
  name,
  kind: column < 8 ? ('numeric' as const) : ('categorical' as const),
}));
const reference = parseReference(referenceBytes(columnsOf(1_000), []));
const [detector] = detectorsOf({
  monitors: {
    window: { rows: 1_000, minRows: 100, maxAgeMs: 60_000 },
    referenceHash: 'a'.repeat(64),
    drift: { alpha: 0.001, correction: 'bonferroni', minEffectSize: 0.1, raiseAfter: 1, clearAfter: 1 },
  },
});
if (detector === undefined) throw new Error('unreachable: drift is asked for');

const batchRows = 100;
const batches = Array.from({ length: 20 }, () => columnsOf(batchRows));
const drift = await timed(async () => {
  const driver = await createTopologyDriver(observationWindows);
  for (let first = 0; first < rows; first += batchRows) {
    const offsets = Array.from({ length: batchRows }, (_, row) => first + row);
    const data: ObservationsSampled = {
      deployment: 'bench',
      deploymentVersion: 1,
      partition: 0,
      offsets,
      windowRows: 1_000,
      windowMinRows: 100,
      windowMaxAgeMs: 60_000,
      predictionIds: offsets.map(String),
      routes: offsets.map(() => 'a'),
      columns: batches[(first / batchRows) % batches.length] ?? [],
      outputs: [],
      stream: 'predictions',
      times: [],
      rowsOfPrediction: [],
      windows: [],
      online: [],
    };
    driver.pipe({ type: 'observations-sampled', data, key: 'bench' });
    for (const { data: closed } of driver.takeOutputs()) {
      const { windowId, rows: inWindow, columns, outputs, predictionIds } = closed as WindowClosed;
      scoreWindow(detector, { windowId, rows: inWindow, columns, outputs, predictionIds, features }, reference);
    }
  }
});
const tests = await timed(() => {
  for (let window = 0; window < rows / 1_000; window++) {
    const columns = columnsOfWindow(window);
    const ids = Array.from({ length: 1_000 }, (_, row) => String(row));
    const whole = { windowId: `w${window}`, rows: 1_000, columns, outputs: [], predictionIds: ids, features };
    scoreWindow(detector, whole, reference);
  }
});
const mmdMs: number[] = [];
for (let round = 0; round < 5; round++) {
  const sample = (): number[][] => Array.from({ length: 500 }, () => Array.from({ length: 10 }, normal));
  const [x, y] = [sample(), sample()];
  mmdMs.push((await timed(() => mmdTest(x, y, random, { permutations: 100 }))) * 1_000);
}
const table = Array.from({ length: 50_000 }, () => Array.from({ length: 10 }, normal));
const forest = fitIsolationForest(table.slice(0, 2_000), random, {});
const scoring = await timed(() => {
  for (const row of table) scoreIsolationForest(forest, row);
});

const figures: readonly Figure[] = [
  { name: 'windows with KS and chi-squared', value: rows / drift, unit: 'rows/s' },
  { name: 'KS and chi-squared alone', value: rows / tests, unit: 'rows/s' },
  { name: 'MMD of 500 × 500 rows, 100 permutations', value: middle(mmdMs), unit: 'ms' },
  { name: 'isolation forest scoring', value: table.length / scoring, unit: 'rows/s' },
  ...(await pythonFigures()),
];
for (const { name, value, unit } of figures)
  console.log(`${name.padEnd(50)} ${Math.round(value).toLocaleString('en')} ${unit}`);
sayFigures(figures);

function columnsOfWindow(window: number): { name: string; values: number[] }[] {
  const parts = Array.from({ length: 10 }, (_, part) => batches[(window + part) % batches.length] ?? []);
  return (parts[0] ?? []).map(({ name }, column) => ({
    name,
    values: parts.flatMap((part) => part[column]?.values ?? []),
  }));
}

/** Processor seconds, so that others on the machine do not count. */
async function timed(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  return process.cpuUsage(before).user / 1e6;
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
