import type { ReferenceSample } from '../../schemas/deployment-document.ts';
import type { Column } from '../../schemas/events.ts';

/** What windows are compared with. Fits are made once and kept. */
export interface Reference {
  readonly columns: ReadonlyMap<string, Float64Array>;
  /** Of a reference that has them apart from its inputs. */
  readonly outputs: ReadonlyMap<string, Float64Array>;
  readonly rows: number;
  readonly fits: Map<string, unknown>;
}

/** A window or reference that cannot be judged; the message is the reason that is published. */
export class NotAssessable extends Error {
  override readonly name = 'NotAssessable';
}

/** Reads a {@link ReferenceSample}. @throws NotAssessable when the bytes are none. */
export function parseReference(bytes: Uint8Array): Reference {
  const sample = sampleOf(bytes);
  const columns = tableOf(sample.columns);
  const outputs = tableOf(sample.outputs ?? []);
  const all = [...columns, ...outputs];
  const rows = Math.max(0, ...all.map(([, { length }]) => length));
  for (const [name, { length }] of all) {
    if (length !== rows) {
      throw new NotAssessable(`the reference sample's column '${name}' has ${length} values, others have ${rows}`);
    }
  }
  if (rows < referenceRowsMin) {
    throw new NotAssessable(`the reference sample has ${rows} rows, at least ${referenceRowsMin} are needed`);
  }
  return { columns, outputs, rows, fits: new Map() };
}

/** JSON has no NaN: a missing value is null. */
function tableOf(columns: ReferenceSample['columns']): Map<string, Float64Array> {
  return new Map(
    columns.map(({ name, values }) => [
      name,
      Float64Array.from(values as readonly (number | null)[], (value) => value ?? Number.NaN),
    ]),
  );
}

/** The bytes of a reference that was taken from the stream; equal rows give equal bytes. */
export function referenceBytes(columns: readonly Column[], outputs: readonly Column[]): Buffer {
  const plain = (table: readonly Column[]): Column[] => table.map(({ name, values }) => ({ name, values }));
  return Buffer.from(JSON.stringify({ columns: plain(columns), outputs: plain(outputs) }));
}

export const referenceRowsMin = 20;

function sampleOf(bytes: Uint8Array): ReferenceSample {
  let sample: unknown;
  try {
    sample = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new NotAssessable('the reference sample is no JSON');
  }
  const { columns, outputs = [] } = (sample ?? {}) as { columns?: unknown; outputs?: unknown };
  if (!Array.isArray(columns) || !Array.isArray(outputs) || ![...columns, ...outputs].every(isColumn)) {
    throw new NotAssessable('the reference sample must be {columns: [{name, values: [number, …]}, …]}');
  }
  return sample as ReferenceSample;
}

function isColumn(column: unknown): boolean {
  const { name, values } = (column ?? {}) as { name?: unknown; values?: unknown };
  const isCell = (value: unknown): boolean => value === null || typeof value === 'number';
  return typeof name === 'string' && Array.isArray(values) && values.every(isCell);
}
