/** The columns that a detector compares: those of its target, with those of the reference beside them. */
import type { FeatureSpec } from '../../schemas/deployment-document.ts';
import type { Detector } from '../../schemas/detectors.ts';
import { NotAssessable, type Reference } from './reference-sample.ts';

export interface ComparedColumn {
  readonly name: string;
  readonly categorical: boolean;
  /** NaN is a missing value. */
  readonly reference: ArrayLike<number>;
  readonly current: ArrayLike<number>;
}

/** A column of an event, or one on its way to a thread, which takes plain memory much faster. */
export interface NumberColumn {
  readonly name: string;
  readonly values: ArrayLike<number>;
}

interface Sides {
  readonly columns: readonly NumberColumn[];
  readonly outputs: readonly NumberColumn[];
  readonly features: readonly FeatureSpec[];
}

interface Named {
  readonly name: string;
  readonly categorical: boolean;
  readonly values: ArrayLike<number>;
}

/** @throws NotAssessable when a column is missing on one side. */
export function comparedColumns(detector: Detector, window: Sides, reference: Reference): readonly ComparedColumn[] {
  const here = targetColumns(detector, window);
  const context = new Set(detector.target === 'inputs' && detector.columns === undefined ? detector.context : []);
  const wanted = detector.columns ?? here.map(({ name }) => name).filter((name) => !context.has(name));
  const byName = new Map(here.map((column) => [column.name, column]));
  const places = new Map(here.map(({ name }, place) => [name, place]));
  return wanted.map((name) => {
    const column = byName.get(name);
    if (column === undefined) {
      const list = here.map((known) => known.name).join(', ');
      throw new NotAssessable(`the ${detector.target} have no column '${name}'; they have ${list}`);
    }
    const values = referenceColumn(detector, reference, name, places.get(name) ?? -1, here.length);
    if (values === undefined) throw new NotAssessable(`the reference sample has no column '${name}'`);
    const categorical = column.categorical || detector.categorical.includes(name);
    return { name, categorical, reference: values, current: column.values };
  });
}

/** Inputs that may change without that being drift. */
export function contextColumns(detector: Detector, window: Sides, reference: Reference): readonly ComparedColumn[] {
  const { context } = detector;
  return context.length === 0
    ? []
    : comparedColumns({ ...detector, target: 'inputs', columns: context }, window, reference);
}

/** Columns that the detector looks at in a window. */
export function targetColumns(
  { target, reference }: Detector,
  { columns, outputs, features }: Sides,
): readonly Named[] {
  const plain = ({ name, values }: NumberColumn): Named => ({ name, categorical: false, values });
  if (target === 'outputs') return outputs.map(plain);
  if (target === 'scores') return outputs.filter(({ name }) => /\[\d+\]$/.test(name)).map(plain);
  if (target !== 'inputs') return columns.map(plain);
  if (features.length === 0) {
    if (reference?.kind === 'artifact') throw new NotAssessable('the deployment names no features');
    return columns.map(plain);
  }
  if (columns.length !== features.length) {
    const message = `the predictions have ${columns.length} input columns, the deployment names ${features.length} features`;
    throw new NotAssessable(message);
  }
  // By name when all names are there, else by position.
  const byName = new Map(columns.map(({ name, values }) => [name, values]));
  const named = features.every(({ name }) => byName.has(name));
  return features.map(({ name, kind }, place) => ({
    name,
    categorical: kind === 'categorical',
    values: (named ? byName.get(name) : columns[place]?.values) ?? [],
  }));
}

/** A reference that was taken from the stream has the stream's names: its columns lie where those of the window lie. */
function referenceColumn(
  { target, reference: from }: Detector,
  reference: Reference,
  name: string,
  place: number,
  width: number,
): ArrayLike<number> | undefined {
  const isOutput = target === 'outputs' || target === 'scores';
  const table = isOutput && reference.outputs.size > 0 ? reference.outputs : reference.columns;
  const known = table.get(name);
  if (known !== undefined || from?.kind === 'artifact' || table.size !== width) return known;
  return [...table.values()][place];
}
