import type { Diamond } from './data.ts';
import { encodeDiamonds, type Feature, features } from './features.ts';
import { shuffle } from './random.ts';

export interface DiamondSplit {
  /** What the models are fitted on. */
  readonly train: readonly Diamond[];
  /** What they are judged by before they are registered. */
  readonly test: readonly Diamond[];
  /** What they have never met: the requests of the demo. */
  readonly stream: readonly Diamond[];
}

export interface SplitOptions {
  readonly seed: number;
  /** @default 24_000 */
  readonly trainRows?: number;
  /** @default 6_000; whatever is left after it is streamed (23,794 diamonds of the whole file) */
  readonly testRows?: number;
}

/**
 * Three random parts that share no diamond. The file holds 146 exact repeats of earlier rows; they are left out,
 * because a repeat on both sides would be a row that the model has met.
 *
 * @throws RangeError when too few rows are left to stream any.
 */
export function splitDiamonds(diamonds: readonly Diamond[], options: SplitOptions): DiamondSplit {
  const { seed, trainRows = 24_000, testRows = 6_000 } = options;
  const shuffled = shuffle(withoutRepeats(diamonds), seed);
  if (trainRows < 1 || testRows < 1 || trainRows + testRows >= shuffled.length) {
    throw new RangeError(
      `cannot split ${shuffled.length} distinct diamonds into ${trainRows} train rows, ${testRows} test rows and a rest`,
    );
  }
  return {
    train: shuffled.slice(0, trainRows),
    test: shuffled.slice(trainRows, trainRows + testRows),
    stream: shuffled.slice(trainRows + testRows),
  };
}

/** The subpopulation that the stream shifts to: large stones, about 12 % of the market. */
export function isShifted(diamond: Diamond): boolean {
  return diamond.carat >= 1.5;
}

export interface StreamOptions {
  readonly seed: number;
  /** Rows of the general population, before the shift. */
  readonly generalRows: number;
  /** Rows of the subpopulation, after it. @default all that are left */
  readonly shiftedRows?: number;
}

export interface DiamondStream {
  readonly rows: readonly Diamond[];
  /** Index in `rows` of the first row after the shift: from here on every row `isShifted`. */
  readonly shiftAt: number;
}

/**
 * An order in which to send the held-out rows: first the market as it is (large stones at their natural rate), then
 * large stones only. No row comes twice.
 *
 * @throws RangeError when the held-out rows do not suffice; the message says how many there are.
 */
export function streamRows(heldOut: readonly Diamond[], options: StreamOptions): DiamondStream {
  const shuffled = shuffle(heldOut, options.seed);
  const general = shuffled.slice(0, options.generalRows);
  const large = shuffled.slice(options.generalRows).filter(isShifted);
  const shiftedRows = options.shiftedRows ?? large.length;
  if (general.length < options.generalRows || large.length < shiftedRows) {
    throw new RangeError(
      `asked for ${options.generalRows} rows and then ${shiftedRows} large stones, got ${general.length} and ${large.length} of ${heldOut.length} held-out diamonds`,
    );
  }
  return { rows: [...general, ...large.slice(0, shiftedRows)], shiftAt: general.length };
}

export interface ReferenceColumn {
  readonly feature: Feature;
  /**
   * Encoded, and rounded to float32 like the tensors of a request: against 0.23 as a double every observed
   * 0.23 would count as larger, and a two-sample test would see a drift that is none.
   */
  readonly values: Float32Array;
}

/**
 * `sampleRows` of the given rows drawn without replacement, as columns: what drift is later measured against.
 *
 * @throws RangeError when there are fewer rows than asked for.
 */
export function referenceSample(rows: readonly Diamond[], sampleRows: number, seed: number): ReferenceColumn[] {
  if (sampleRows > rows.length) throw new RangeError(`cannot sample ${sampleRows} of ${rows.length} rows`);
  const sample = encodeDiamonds(shuffle(rows, seed).slice(0, sampleRows));
  return features.map((feature, column) => ({
    feature,
    values: sample.values.filter((_, i) => i % sample.columns === column) as Float32Array,
  }));
}

function withoutRepeats(diamonds: readonly Diamond[]): Diamond[] {
  const seen = new Set<string>();
  return diamonds.filter((diamond) => {
    const { id: _, ...values } = diamond;
    const identity = Object.values(values).join('|');
    if (seen.has(identity)) return false;
    seen.add(identity);
    return true;
  });
}
