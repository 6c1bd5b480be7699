import type { FeatureSpec } from '../../schemas/deployment-document.ts';
import { filledOptions, methodOf } from '../../schemas/detector-methods.ts';
import type { Detector } from '../../schemas/detectors.ts';
import type { Column } from '../../schemas/events.ts';
import { fitRandom, onlineMethods, type OnlineMethodName } from '../../topologies/online-drift/methods.ts';
import type { Fit } from '../../topologies/online-drift/run.ts';
import { type ComparedColumn, comparedColumns, targetColumns } from './compared-columns.ts';
import { NotAssessable, type Reference } from './reference-sample.ts';

/** Any batch of the stream: how its columns lie. */
export interface RowsToFit {
  readonly columns: readonly Column[];
  readonly outputs: readonly Column[];
  readonly features: readonly FeatureSpec[];
}

/** Fits a detector that goes row by row. @throws NotAssessable or RangeError with the reason when that is impossible */
export function fitOnline(detector: Detector, rows: RowsToFit, reference: Reference, seed: string): Fit {
  const name = detector.method as OnlineMethodName;
  const method = onlineMethods[name];
  const { needsReference, version } = methodOf(name);
  const all = needsReference ? comparedColumns(detector, rows, reference) : withoutReference(detector, rows);
  const chosen = detector.columns === undefined ? all.filter((column) => fits(name, column, needsReference)) : all;
  if (chosen.length === 0) throw new NotAssessable(`no column is one that '${name}' can take`);
  const random = fitRandom(seed);
  const options = filledOptions(name, detector.options);
  const table = detector.target === 'outputs' || detector.target === 'scores' ? 'outputs' : 'columns';
  const here = targetColumns(detector, rows);
  const scales =
    method.over === 'rows' ? chosen.map(({ reference: values }) => deviation(values)) : chosen.map(() => 1);
  const models: unknown[] = [];
  if (method.over === 'rows') models.push(method.fit(completeRows(chosen, scales), options, random));
  else {
    for (const { name: column, reference: values } of chosen) {
      const present = Float64Array.from(values).filter(Number.isFinite);
      if (needsReference && present.length < 10)
        throw new NotAssessable(`column '${column}' of the reference has ${present.length} values, 10 are needed`);
      // All columns together shall have the stated run time.
      models.push(method.fit(present, shared(options, chosen.length), random, models[0]));
    }
  }
  return {
    detector: detector.name,
    method: name,
    methodVersion: version,
    target: detector.target,
    minEffectSize: detector.minEffectSize,
    raiseAfter: detector.raiseAfter,
    clearAfter: detector.clearAfter,
    reportEvery: detector.reportEvery,
    referenceKind: needsReference ? (detector.reference?.kind ?? 'none') : 'none',
    referenceRows: reference.rows,
    columns: chosen.map((column, index) => ({
      name: column.name,
      table,
      place:
        table === 'outputs' ? rows.outputs.findIndex((output) => output.name === column.name) : placeOf(column.name),
      width: rows[table].length,
      scale: scales[index] ?? 1,
    })),
    models,
  };

  function placeOf(column: string): number {
    return here.findIndex((known) => known.name === column);
  }
}

/** Of a batch, so that the columns are known; the values are of no concern. */
function withoutReference(detector: Detector, rows: RowsToFit): readonly ComparedColumn[] {
  const here = targetColumns(detector, rows);
  const wanted = detector.columns ?? here.map(({ name }) => name);
  return wanted.map((name) => {
    const column = here.find((known) => known.name === name);
    if (column === undefined) throw new NotAssessable(`the ${detector.target} have no column '${name}'`);
    const categorical = column.categorical || detector.categorical.includes(name);
    return { name, categorical, reference: [], current: column.values };
  });
}

function fits(method: OnlineMethodName, { categorical, reference }: ComparedColumn, needsReference: boolean): boolean {
  const { over, ...rest } = onlineMethods[method];
  if (over === 'features' && 'accepts' in rest && needsReference)
    return Array.from(reference).every((value) => value === 0 || value === 1 || Number.isNaN(value));
  return !categorical;
}

function shared(options: Readonly<Record<string, number>>, columns: number): Readonly<Record<string, number>> {
  const { expectedRunTime } = options;
  return expectedRunTime === undefined ? options : { ...options, expectedRunTime: expectedRunTime * columns };
}

function completeRows(columns: readonly ComparedColumn[], scales: readonly number[]): number[][] {
  return Array.from({ length: columns[0]?.reference.length ?? 0 }, (_, row) =>
    columns.map(({ reference }, column) => (reference[row] ?? Number.NaN) / (scales[column] ?? 1)),
  ).filter((row) => row.every(Number.isFinite));
}

function deviation(values: ArrayLike<number>): number {
  const present = Float64Array.from(values).filter(Number.isFinite);
  const mean = present.reduce((a, b) => a + b, 0) / present.length;
  return Math.sqrt(present.reduce((sum, value) => sum + (value - mean) ** 2, 0) / present.length) || 1;
}
