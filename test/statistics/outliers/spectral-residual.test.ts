import { describe, expect, test } from 'vitest';
import { fourier, inverseFourier } from '../../../statistics/outliers/fourier.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { saliencyOf, spectralResidual } from '../../../statistics/outliers/spectral-residual.ts';

const SEED = 'spectral residual';

/** The definition, term by term. */
function directly(re: Float64Array, im: Float64Array, sign: 1 | -1): { re: number[]; im: number[] } {
  const n = re.length;
  const sums = Array.from({ length: n }, (_, k) => {
    let [a, b] = [0, 0];
    for (let t = 0; t < n; t++) {
      const angle = (sign * 2 * Math.PI * k * t) / n;
      a += re[t]! * Math.cos(angle) - im[t]! * Math.sin(angle);
      b += re[t]! * Math.sin(angle) + im[t]! * Math.cos(angle);
    }
    return [a, b] as const;
  });
  return { re: sums.map(([a]) => a), im: sums.map(([, b]) => b) };
}

describe('the Fourier transform', () => {
  test.each([0, 1, 2, 3, 7, 8, 12, 97, 128, 250])(
    'is its definition for %i values, and its inverse gives them back',
    (n) => {
      const random = seededRandom(`${SEED}/${n}`);
      const [re, im] = [
        Float64Array.from({ length: n }, () => random.normal()),
        Float64Array.from({ length: n }, () => random.normal()),
      ];
      const found = fourier({ re, im });
      const direct = directly(re, im, -1);
      for (let k = 0; k < n; k++) {
        expect(found.re[k]).toBeCloseTo(direct.re[k]!, 9);
        expect(found.im[k]).toBeCloseTo(direct.im[k]!, 9);
      }
      const back = inverseFourier(found);
      for (let t = 0; t < n; t++)
        expect([back.re[t]! - re[t]!, back.im[t]! - im[t]!].every((d) => Math.abs(d) < 1e-12)).toBe(true);
    },
  );
});

describe('the spectral residual', () => {
  const random = seededRandom(SEED);
  const series = Array.from({ length: 60 }, (_, t) => Math.sin(t / 3) + 0.1 * random.normal() + (t === 31 ? 3 : 0));

  test('is the paper computed step by step with plain sums', () => {
    const [q, kappa, m] = [3, 5, 5];
    const n = series.length;
    const slope = [1, 2, 3, 4, 5].reduce((sum, i) => sum + (series[n - 1]! - series[n - 1 - i]!) / i, 0) / m;
    const next = series[n - m]! + slope * m;
    const x = Float64Array.from([...series, ...Array.from({ length: kappa }, () => next)]);
    const size = x.length;
    const spectrum = directly(x, new Float64Array(size), -1);
    const log = spectrum.re.map((re, k) => Math.log(Math.sqrt(re ** 2 + spectrum.im[k]! ** 2)));
    const phase = spectrum.re.map((re, k) => Math.atan2(spectrum.im[k]!, re));
    const mean = log.map((_, k) => (log[(k - 1 + size) % size]! + log[k]! + log[(k + 1) % size]!) / q);
    const back = directly(
      Float64Array.from(log, (value, k) => Math.exp(value - mean[k]!) * Math.cos(phase[k]!)),
      Float64Array.from(log, (value, k) => Math.exp(value - mean[k]!) * Math.sin(phase[k]!)),
      1,
    );
    const saliency = back.re.map((re, t) => Math.hypot(re, back.im[t]!) / size).slice(0, n);
    // in units of the largest value, as the scale does not count
    const found = saliencyOf(series);
    for (let t = 0; t < n; t++) expect(found[t]).toBeCloseTo(saliency[t]!, 9);
    const scores = spectralResidual(series, { localWindow: 10 });
    for (let t = 10; t < n; t++) {
      const before = saliency.slice(t - 10, t).reduce((a, b) => a + b, 0) / 10;
      expect(scores[t]).toBeCloseTo((saliency[t]! - before) / before, 6);
    }
    for (let t = 0; t < 10; t++) {
      const others = saliency.slice(0, 11).filter((_, place) => place !== t);
      const before = others.reduce((a, b) => a + b, 0) / 10;
      expect(scores[t]).toBeCloseTo((saliency[t]! - before) / before, 6);
    }
  });

  test('is largest at the point that stands out, beyond the 3 of the paper, in any unit', () => {
    const scores = spectralResidual(series);
    expect(scores.indexOf(Math.max(...scores))).toBe(31);
    expect(scores[31]).toBeGreaterThan(3);
    const scaled = spectralResidual(series.map((value) => value * 1e200));
    for (const [t, score] of scores.entries()) expect(scaled[t]).toBeCloseTo(score, 6);
  });

  test('of a constant series is 0', () => {
    expect([...spectralResidual(new Float64Array(30).fill(7))]).toEqual(Array.from({ length: 30 }, () => 0));
  });

  test('refuses what is no series', () => {
    expect(() => spectralResidual([1, 2, 3])).toThrow('series must hold at least 12 value(s), got 3');
    expect(() => spectralResidual([...series, Number.NaN])).toThrow('series[60] must be a finite number, got NaN');
  });
});
