/** Scores of the points of series; what the methods are is said in `schemas/detector-methods.ts`. */
import { seriesLengthMin, spectralResidual } from '../../../statistics/outliers/spectral-residual.ts';

/**
 * Score per row and column. Values that are missing or infinite have no score: the series goes straight from the value before to the one
 * after them, so that a hole is no break of its rhythm. undefined: a row without any value. A column with too few has no scores.
 */
export function seriesScores(
  columns: readonly ArrayLike<number>[],
  options: Readonly<Record<string, number>>,
): readonly (readonly number[] | undefined)[] {
  const rows = columns[0]?.length ?? 0;
  const scores = Array.from({ length: rows }, () => columns.map(() => 0));
  const known = new Set<number>();
  for (const [column, values] of columns.entries()) {
    const places = Array.from({ length: rows }, (_, row) => row).filter((row) => Number.isFinite(values[row]));
    if (places.length < seriesLengthMin) continue;
    const found = spectralResidual(bridged(values, places), options);
    const [first = 0] = places;
    for (const place of places) {
      known.add(place);
      (scores[place] ?? [])[column] = found[place - first] ?? 0;
    }
  }
  return scores.map((row, place) => (known.has(place) ? row : undefined));
}

/** From the first finite value to the last; in between, holes are bridged. */
function bridged(values: ArrayLike<number>, places: readonly number[]): number[] {
  return places.flatMap((place, index) => {
    const next = places[index + 1] ?? place + 1;
    const [from, to] = [values[place] ?? 0, values[next] ?? 0];
    return Array.from(
      { length: next - place },
      (_, step) => from + (step === 0 ? 0 : ((to - from) * step) / (next - place)),
    );
  });
}
