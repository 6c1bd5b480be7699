/** Quantiles of several samples together, of which only counts and quantiles are known. */
export interface QuantileTable {
  readonly count: number;
  /** At the levels that all tables share. */
  readonly quantiles: readonly number[];
}

/** Shares of a sample and where they lie: between two levels, values are taken to lie evenly. */
interface Piece {
  readonly low: number;
  readonly high: number;
  readonly mass: number;
}

function piecesOf(tables: readonly QuantileTable[], levels: readonly number[]): Piece[] {
  return tables.flatMap(({ count, quantiles }) =>
    levels.slice(1).flatMap((level, place) => {
      const low = quantiles[place];
      const high = quantiles[place + 1];
      if (low === undefined || high === undefined) return [];
      return [{ low, high, mass: count * (level - (levels[place] ?? 0)) }];
    }),
  );
}

/**
 * @param levels of the tables: ascending from 0 to 1
 * @param wanted levels that are asked for
 */
export function mergedQuantiles(
  tables: readonly QuantileTable[],
  levels: readonly number[],
  wanted: readonly number[],
): number[] {
  const pieces = piecesOf(tables, levels);
  const total = pieces.reduce((sum, { mass }) => sum + mass, 0);
  if (total === 0) return [];
  const low = pieces.reduce((least, piece) => Math.min(least, piece.low), Infinity);
  const high = pieces.reduce((most, piece) => Math.max(most, piece.high), -Infinity);
  // A piece is half at each of its ends: sorted once, instead of every distribution asked at every point.
  const points = pieces
    .flatMap((piece): [number, number][] => [
      [piece.low, piece.mass / 2],
      [piece.high, piece.mass / 2],
    ])
    .sort(([a], [b]) => a - b);
  return wanted.map((q) => {
    if (q <= 0) return low;
    if (q >= 1) return high;
    let left = q * total;
    for (const [value, mass] of points) {
      left -= mass;
      if (left <= 0) return value;
    }
    return high;
  });
}

/** Shares of `bins` equal steps from the least to the largest value. */
export function histogramOf(
  tables: readonly QuantileTable[],
  levels: readonly number[],
  bins: number,
): { readonly edges: number[]; readonly shares: number[] } {
  const pieces = piecesOf(tables, levels);
  const total = pieces.reduce((sum, { mass }) => sum + mass, 0);
  if (total === 0) return { edges: [], shares: [] };
  const low = pieces.reduce((least, piece) => Math.min(least, piece.low), Infinity);
  const high = pieces.reduce((most, piece) => Math.max(most, piece.high), -Infinity);
  const step = (high - low) / bins;
  if (!(step > 0)) return { edges: [low, high], shares: [1] };
  const shares = new Array<number>(bins).fill(0);
  const binOf = (value: number): number => Math.min(bins - 1, Math.max(0, Math.floor((value - low) / step)));
  for (const piece of pieces) {
    const first = binOf(piece.low);
    const last = binOf(piece.high);
    const width = piece.high - piece.low;
    for (let bin = first; bin <= last; bin++) {
      const covered = Math.min(piece.high, low + (bin + 1) * step) - Math.max(piece.low, low + bin * step);
      const share = first === last || !(width > 0) ? 1 : Math.max(0, covered) / width;
      shares[bin] = (shares[bin] ?? 0) + (share * piece.mass) / total;
    }
  }
  return { edges: Array.from({ length: bins + 1 }, (_, place) => low + place * step), shares };
}
