import { describe, expect, test } from 'vitest';
import { quantiles } from '../../statistics/samples/quantiles.ts';
import {
  addToDdSketch,
  type DdSketch,
  ddSketchQuantile,
  emptyDdSketch,
  mergeDdSketch,
} from '../../statistics/quantile-sketch/ddsketch.ts';
import {
  addToHdrHistogram,
  emptyHdrHistogram,
  hdrQuantile,
  mergeHdrHistogram,
} from '../../statistics/quantile-sketch/hdr-histogram.ts';
import { addToKll, emptyKll, kllQuantile, mergeKll } from '../../statistics/quantile-sketch/kll.ts';
import {
  addToTDigest,
  emptyTDigest,
  mergeTDigest,
  type TDigest,
  tDigestQuantile,
} from '../../statistics/quantile-sketch/t-digest.ts';
import { expectGolden, goldenCases, num, nums, rows } from './golden.ts';

const KLL_SEED = 77;

describe('sketches of one stream', () => {
  test.each(goldenCases('quantile-sketch').filter(([, golden]) => 'values' in golden.inputs))('%s', (_, golden) => {
    const values = nums(golden.inputs['values']);
    const q = nums(golden.inputs['q']);
    const sorted = Float64Array.from(values).sort();
    const dd = throughJson(inBatches(values, emptyDdSketch(), addToDdSketch));
    const digest = throughJson(inBatches(values, emptyTDigest(), addToTDigest));
    const kll = throughJson(inBatches(values, emptyKll(KLL_SEED), addToKll));
    const hdr = throughJson(inBatches(values, emptyHdrHistogram(), addToHdrHistogram));
    const ddEstimates = q.map((p) => ddSketchQuantile(dd, p));
    expectGolden(
      golden,
      {
        linear_type7: quantiles(values, q),
        hdr_value_at_percentile: q.map((p) => hdrQuantile(hdr, p)),
        hdr_total_count: hdr.count,
        ddsketch_reference_estimate: ddEstimates,
      },
      [
        'nearest_rank',
        'tdigest_reference_estimate',
        'tdigest_rank_error_of_reference',
        'tdigest_allowed_rank_error',
        'kll_reference_estimate',
        'kll_normalized_rank_error',
      ],
    );
    const allowed = nums(golden.expected['tdigest_allowed_rank_error']);
    q.forEach((p, i) => {
      const lowerRank = sorted[Math.floor(p * (values.length - 1))]!;
      expect(Math.abs(ddEstimates[i]! - lowerRank)).toBeLessThanOrEqual(0.01 * lowerRank * (1 + 1e-9));
      expect(rankError(sorted, tDigestQuantile(digest, p), p), `t-digest at ${p}`).toBeLessThanOrEqual(allowed[i]!);
      expect(rankError(sorted, kllQuantile(kll, p), p), `KLL at ${p}, seed ${KLL_SEED}`).toBeLessThanOrEqual(
        num(golden.expected['kll_normalized_rank_error']),
      );
    });
    for (const estimate of [(p: number) => tDigestQuantile(digest, p), (p: number) => kllQuantile(kll, p)]) {
      expect([estimate(0), estimate(1)]).toEqual([sorted[0], sorted[sorted.length - 1]]);
    }
    expect(digest.means.length).toBeLessThanOrEqual(2 * digest.compression);
    expect(kll.levels.flat().length).toBeLessThanOrEqual(4 * kll.k);
  });
});

describe('merged sketches', () => {
  test.each(goldenCases('quantile-sketch', 'merge'))('%s', (_, golden) => {
    const parts = rows(golden.inputs['parts']);
    const q = nums(golden.inputs['q']);
    const sorted = Float64Array.from(parts.flat()).sort();
    const allowed = nums(golden.expected['allowed_rank_error']);
    const digest = parts
      .map((part) => addToTDigest(emptyTDigest(), part))
      .reduce<TDigest>(mergeTDigest, emptyTDigest());
    const dd = parts
      .map((part) => addToDdSketch(emptyDdSketch(), part))
      .reduce<DdSketch>(mergeDdSketch, emptyDdSketch());
    for (const { count, min, max, sum } of [digest, dd]) {
      expectGolden(golden, { count, min, max, sum }, ['linear_type7', 'allowed_rank_error']);
    }
    q.forEach((p, i) => {
      expect(rankError(sorted, tDigestQuantile(digest, p), p), `t-digest at ${p}`).toBeLessThanOrEqual(allowed[i]!);
    });
    // Buckets merge exactly, in any order.
    const whole = addToDdSketch(emptyDdSketch(), parts.flat());
    const backwards = parts
      .map((part) => addToDdSketch(emptyDdSketch(), part))
      .reverse()
      .reduce(mergeDdSketch);
    expect(q.map((p) => ddSketchQuantile(backwards, p))).toEqual(q.map((p) => ddSketchQuantile(whole, p)));
    const hdr = (values: number[]) => addToHdrHistogram(emptyHdrHistogram(), values);
    expect(parts.map(hdr).reduce(mergeHdrHistogram)).toEqual(hdr(parts.flat()));
    const kll = parts.map((part, i) => addToKll(emptyKll(i), part)).reduce(mergeKll);
    expect(kll.count).toBe(sorted.length);
    q.forEach((p) => expect(rankError(sorted, kllQuantile(kll, p), p)).toBeLessThanOrEqual(0.0133));
  });
});

describe('sketches at their edges', () => {
  test('DDSketch keeps its accuracy for negative numbers and zero', () => {
    const values = Array.from({ length: 2001 }, (_, i) => i - 1000);
    const sketch = addToDdSketch(emptyDdSketch(), values);
    for (const q of [0, 0.1, 0.25, 0.5, 0.75, 0.99, 1]) {
      const exact = values[Math.floor(q * 2000)]!;
      expect(Math.abs(ddSketchQuantile(sketch, q) - exact)).toBeLessThanOrEqual(0.01 * Math.abs(exact) + 1e-9);
    }
  });

  test('all stay bounded on a hundred thousand values', () => {
    const values = Array.from({ length: 100_000 }, (_, i) => ((i * 7919) % 100_003) + 1);
    expect(Object.keys(addToDdSketch(emptyDdSketch(), values).positive).length).toBeLessThan(700);
    expect(addToTDigest(emptyTDigest(), values).means.length).toBeLessThanOrEqual(200);
    expect(addToKll(emptyKll(1), values).levels.flat().length).toBeLessThan(800);
    expect(Object.keys(addToHdrHistogram(emptyHdrHistogram(), values).counts).length).toBeLessThan(13_000);
  });

  test('HDR counts values beyond its range apart', () => {
    const histogram = addToHdrHistogram(emptyHdrHistogram(1000), [5, 0.2, 5000]);
    expect(histogram.clamped).toBe(1);
    expect(hdrQuantile(histogram, 1)).toBe(1000);
    expect(hdrQuantile(histogram, 0)).toBe(1);
  });

  test('are NaN while empty, and refuse NaN', () => {
    expect(ddSketchQuantile(emptyDdSketch(), 0.5)).toBeNaN();
    expect(tDigestQuantile(emptyTDigest(), 0.5)).toBeNaN();
    expect(kllQuantile(emptyKll(1), 0.5)).toBeNaN();
    expect(hdrQuantile(emptyHdrHistogram(), 0.5)).toBeNaN();
    expect(() => addToTDigest(emptyTDigest(), [1, Number.NaN])).toThrow('values[1] must be a finite number, got NaN');
    expect(() => mergeDdSketch(emptyDdSketch(0.01), emptyDdSketch(0.02))).toThrow('sketches must have one alpha');
  });
});

function inBatches<Sketch>(values: number[], empty: Sketch, add: (sketch: Sketch, values: number[]) => Sketch): Sketch {
  let sketch = empty;
  for (let i = 0; i < values.length; i += 500) sketch = add(sketch, values.slice(i, i + 500));
  return sketch;
}

function throughJson<T>(document: T): T {
  return JSON.parse(JSON.stringify(document)) as T;
}

/** Distance of q from the shares of values below, and at or below, the estimate. */
function rankError(sorted: Float64Array, estimate: number, q: number): number {
  const below = sorted.filter((value) => value < estimate).length / sorted.length;
  const upTo = sorted.filter((value) => value <= estimate).length / sorted.length;
  return q < below ? below - q : q > upTo ? q - upTo : 0;
}
