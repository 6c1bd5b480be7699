/**
 * Spectral residual (Ren et al. 2019, §3.1): what of a series stands out against its own rhythm. The log amplitude of the spectrum less its
 * local mean, with the phases that there were, gives back a saliency map; a point is as far out as its saliency exceeds that of the points
 * before it.
 */
import { requireFinite, requireInteger, requireLength } from '../arguments.ts';
import { fourier, inverseFourier } from './fourier.ts';

export interface SpectralResidualOptions {
  /** Frequencies over which the log amplitude is averaged (q). @default 3 */
  readonly amplitudeWindow?: number;
  /** Points before one whose mean saliency it is compared with (z). @default 21 */
  readonly localWindow?: number;
  /** Points by which the series is continued, so that its newest ones do not lie at an edge (κ); 0: none. @default 5 */
  readonly extendedPoints?: number;
  /** Points before the end by whose slopes the continuation is estimated (m). @default 5 */
  readonly gradientPoints?: number;
}

/**
 * Score of each point: (S − S̄) / S̄, where S is its saliency and S̄ the mean of those of the `localWindow` points before it; near the
 * start, where there are fewer, of the first points other than itself. 0 throughout for a constant series. In the paper a score above 3 is
 * an anomaly.
 * @throws RangeError below 12 points, or for a value that is not finite.
 */
export function spectralResidual(series: ArrayLike<number>, options: SpectralResidualOptions = {}): Float64Array {
  const { localWindow = 21 } = options;
  requireInteger('localWindow', localWindow, 1);
  const saliency = saliencyOf(series, options);
  const n = saliency.length;
  const sums = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) sums[i + 1] = (sums[i] ?? 0) + (saliency[i] ?? 0);
  const head = Math.min(localWindow + 1, n);
  return saliency.map((own, i) => {
    const before =
      i >= localWindow
        ? ((sums[i] ?? 0) - (sums[i - localWindow] ?? 0)) / localWindow
        : ((sums[head] ?? 0) - own) / (head - 1);
    return before > 0 ? (own - before) / before : 0;
  });
}

/** Fewest points of a series. */
export const seriesLengthMin = 12;

/** The saliency map, a number of at least 0 per point. */
export function saliencyOf(series: ArrayLike<number>, options: SpectralResidualOptions = {}): Float64Array {
  const { amplitudeWindow = 3, extendedPoints = 5, gradientPoints = 5 } = options;
  requireFinite('series', series);
  requireLength('series', series, seriesLengthMin);
  requireInteger('amplitudeWindow', amplitudeWindow, 1);
  requireInteger('extendedPoints', extendedPoints);
  requireInteger('gradientPoints', gradientPoints, 1);
  const n = series.length;
  // Only the shape counts: scores are alike for a series in other units, and no amplitude overflows.
  const largest = Array.from(series).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const values = Float64Array.from(series, (value) => (largest === 0 ? 0 : value / largest));
  if (values.every((value) => value === values[0])) return new Float64Array(n);
  const extended = continued(values, extendedPoints, Math.min(gradientPoints, n - 2));
  const { re, im } = fourier({ re: extended, im: new Float64Array(extended.length) });
  const amplitudes = re.map((real, k) => Math.hypot(real, im[k] ?? 0));
  // A frequency that is not there has no logarithm; rounding leaves some 1e-16 of the largest.
  const floor = 1e-12 * amplitudes.reduce((most, value) => Math.max(most, value), 0);
  const logs = amplitudes.map((amplitude) => Math.log(Math.max(amplitude, floor)));
  const averaged = localMeans(logs, amplitudeWindow);
  const residual = { re: new Float64Array(extended.length), im: new Float64Array(extended.length) };
  for (let k = 0; k < extended.length; k++) {
    const amplitude = amplitudes[k] ?? 0;
    if (amplitude <= floor) continue;
    const factor = Math.exp((logs[k] ?? 0) - (averaged[k] ?? 0)) / amplitude;
    residual.re[k] = (re[k] ?? 0) * factor;
    residual.im[k] = (im[k] ?? 0) * factor;
  }
  const map = inverseFourier(residual);
  return map.re.slice(0, n).map((real, t) => Math.hypot(real, map.im[t] ?? 0));
}

/** Eq. 6 and 7: the last value is carried on along the mean slope from it to the points before. */
function continued(values: Float64Array, points: number, slopes: number): Float64Array {
  const n = values.length;
  const last = values[n - 1] ?? 0;
  let sum = 0;
  for (let i = 1; i <= slopes; i++) sum += (last - (values[n - 1 - i] ?? 0)) / i;
  const next = (values[n - slopes] ?? 0) + (sum / slopes) * slopes;
  const extended = new Float64Array(n + points);
  extended.set(values);
  extended.fill(next, n);
  return extended;
}

/** Means over `width` places around each, in a circle as the frequencies are: an even series of them stays even. */
function localMeans(values: Float64Array, width: number): Float64Array {
  const n = values.length;
  const span = Math.min(width, n);
  const from = Math.floor((span - 1) / 2);
  return values.map((_, k) => {
    let sum = 0;
    for (let step = 0; step < span; step++) sum += values[(k - from + step + n) % n] ?? 0;
    return sum / span;
  });
}
