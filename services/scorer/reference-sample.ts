import type { ReferenceSample } from '../../schemas/deployment-document.ts';
import {
  empiricalThreshold,
  fitMahalanobis,
  type MahalanobisModel,
  scoreMahalanobis,
} from '../../statistics/mahalanobis.ts';

/** What windows are compared with. Fits are made once and kept. */
export interface Reference {
  readonly columns: ReadonlyMap<string, Float64Array>;
  readonly rows: number;
  readonly outlierFits: Map<string, OutlierFit>;
}

export interface OutlierFit {
  readonly model: MahalanobisModel;
  /** Squared distance above which a row is an outlier. */
  readonly threshold: number;
}

/** A window or reference that cannot be judged; the message is the reason that is published. */
export class NotAssessable extends Error {
  override readonly name = 'NotAssessable';
}

/** Reads a {@link ReferenceSample}. @throws NotAssessable when the bytes are none. */
export function parseReference(bytes: Uint8Array): Reference {
  const columns = new Map<string, Float64Array>();
  for (const { name, values } of sampleOf(bytes).columns) {
    // JSON has no NaN: a missing value is null.
    columns.set(
      name,
      Float64Array.from(values, (value: number | null) => value ?? Number.NaN),
    );
  }
  const rows = Math.max(0, ...[...columns.values()].map(({ length }) => length));
  for (const [name, { length }] of columns) {
    if (length !== rows) {
      throw new NotAssessable(`the reference sample's column '${name}' has ${length} values, others have ${rows}`);
    }
  }
  if (rows < referenceRowsMin) {
    throw new NotAssessable(`the reference sample has ${rows} rows, at least ${referenceRowsMin} are needed`);
  }
  return { columns, rows, outlierFits: new Map() };
}

const referenceRowsMin = 20;

function sampleOf(bytes: Uint8Array): ReferenceSample {
  let sample: unknown;
  try {
    sample = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new NotAssessable('the reference sample is no JSON');
  }
  const columns = (sample as { columns?: unknown } | null)?.columns;
  if (!Array.isArray(columns) || !columns.every(isColumn)) {
    throw new NotAssessable('the reference sample must be {columns: [{name, values: [number, …]}, …]}');
  }
  return sample as ReferenceSample;
}

function isColumn(column: unknown): boolean {
  const { name, values } = (column ?? {}) as { name?: unknown; values?: unknown };
  const isCell = (value: unknown): boolean => value === null || typeof value === 'number';
  return typeof name === 'string' && Array.isArray(values) && values.every(isCell);
}

/**
 * Mahalanobis distance over the given columns, with the threshold that the stated share of the reference itself exceeds: right for any
 * distribution of the features. Rows with a missing value are left out. @throws NotAssessable when too few rows are left.
 */
export function outlierFit(reference: Reference, names: readonly string[], falsePositiveRate: number): OutlierFit {
  const key = JSON.stringify([falsePositiveRate, ...names]);
  const known = reference.outlierFits.get(key);
  if (known !== undefined) return known;
  const columns = names.map((name) => reference.columns.get(name) ?? new Float64Array());
  const rows: number[][] = [];
  for (let row = 0; row < reference.rows; row++) {
    const cells = columns.map((column) => column[row] ?? Number.NaN);
    if (cells.every(Number.isFinite)) rows.push(cells);
  }
  if (rows.length < referenceRowsMin) {
    throw new NotAssessable(
      `the reference sample has ${rows.length} rows without missing values, at least ${referenceRowsMin} are needed`,
    );
  }
  const model = fitMahalanobis(rows, { scale: 'standard' });
  const distances = rows.map((row) => scoreMahalanobis(model, row).squaredDistance);
  const fit = { model, threshold: empiricalThreshold(distances, falsePositiveRate) };
  reference.outlierFits.set(key, fit);
  return fit;
}
