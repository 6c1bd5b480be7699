/** Flowers, the deployment that classifies them, and the sample that it is monitored with. */
import type { ReferenceSample } from '../../../schemas/deployment-document.ts';
import { deployment } from '../../../sdk/deployment/index.ts';

export const irisFeatures = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'] as const;

/** Rows of a monitoring window. */
export const windowRows = 50;

export function irisDeployment(referenceHash: string) {
  return deployment('iris')
    .route('champion', 'models:/iris@champion')
    .features(irisFeatures)
    .output('label')
    .feedback({ windowMs: 600_000, reward: 'equal' })
    .monitors({
      referenceHash,
      window: { rows: windowRows, minRows: 10, maxAgeMs: 600_000 },
      drift: { alpha: 0.001, raiseAfter: 1 },
      outliers: {},
    });
}

export interface Flower {
  readonly entity: string;
  readonly row: readonly number[];
  /** What the model must say: setosa, of which the three kinds differ by a gap. */
  readonly label: number;
}

/** Small setosas, the same ones for the same numbers. */
export function flowers(from: number, to: number): readonly Flower[] {
  return Array.from({ length: to - from }, (_, i) => {
    const entity = `flower-${String(from + i).padStart(4, '0')}`;
    return { entity, row: setosa(from + i), label: 0 };
  });
}

/** Flowers that nobody has trained on: four times as large. */
export function giants(from: number, to: number): readonly Flower[] {
  return flowers(from, to).map(({ entity, row }) => ({ entity, row: row.map((cell) => 4 * cell), label: 2 }));
}

export function irisReference(): ReferenceSample {
  const rows = Array.from({ length: 200 }, (_, i) => setosa(10_000 + i));
  return { columns: irisFeatures.map((name, column) => ({ name, values: rows.map((row) => row[column] ?? 0) })) };
}

/** A point of a low-discrepancy sequence (the golden ratio and its kin) in the box of the setosas. */
function setosa(i: number): readonly number[] {
  const at = (step: number): number => ((i + 1) * step) % 1;
  return [4.4 + 1.2 * at(0.856675), 3.1 + 0.9 * at(0.733892), 1.2 + 0.5 * at(0.628707), 0.1 + 0.3 * at(0.538597)].map(
    (cell) => Math.round(cell * 1000) / 1000,
  );
}
