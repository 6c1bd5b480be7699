import { describe, expect, test } from 'vitest';
import { chiSquaredGoodnessOfFit } from '../../statistics/drift/chi2.ts';
import { ksOneSample } from '../../statistics/drift/ks.ts';
import { seededRandom, restoreRandom } from '../../statistics/random.ts';
import { incompleteBeta } from '../../statistics/special/beta.ts';
import { incompleteGamma } from '../../statistics/special/gamma.ts';
import { normalCdf } from '../../statistics/special/normal.ts';

describe('seeded random numbers', () => {
  test('follow xoshiro128** from a known state', () => {
    // Computed by hand from the published recurrence for the state 1, 2, 3, 4.
    const random = restoreRandom([1, 2, 3, 4]);
    expect(Array.from({ length: 4 }, () => random.bits())).toEqual([11520, 0, 5927040, 70819200]);
  });

  test('are the same for the same seed, and differ for another', () => {
    const draw = (seed: number | string) => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, () => random.uniform());
    };
    expect(draw(42)).toEqual(draw(42));
    expect(draw('demo')).toEqual(draw('demo'));
    expect(draw(42)).not.toEqual(draw(43));
    expect(draw(1)).not.toEqual(draw(2 ** 32 + 1));
    expect(draw('demo')).not.toEqual(draw('demp'));
    expect(() => seededRandom(1.5)).toThrow('seed must be a safe integer or text, got 1.5');
  });

  test('stay the same over versions', () => {
    const random = seededRandom(2024);
    expect([random.bits(), random.bits(), random.bits()]).toMatchInlineSnapshot(`
      [
        3175303598,
        1589723956,
        2895402240,
      ]
    `);
  });

  test('continue from a kept state', () => {
    const random = seededRandom(5);
    random.normal();
    const copy = restoreRandom(JSON.parse(JSON.stringify(random.state())) as [number, number, number, number]);
    expect(Array.from({ length: 5 }, () => copy.gamma(0.7))).toEqual(
      Array.from({ length: 5 }, () => random.gamma(0.7)),
    );
    expect(() => restoreRandom([0, 0, 0, 0])).toThrow('must not be all zero');
  });

  test.each<[string, (x: number) => number]>([
    ['uniform', (x) => x],
    ['normal', normalCdf],
    ['exponential', (x) => -Math.expm1(-x)],
    ['gamma 0.4', (x) => incompleteGamma(0.4, x).lower],
    ['gamma 7', (x) => incompleteGamma(7, x).lower],
    ['beta 0.5 2', (x) => incompleteBeta(x, 0.5, 2)],
  ])('%s draws have the stated distribution', (name, cdf) => {
    const random = seededRandom(17);
    const draws: Record<string, () => number> = {
      uniform: () => random.uniform(),
      normal: () => random.normal(),
      exponential: () => random.exponential(),
      'gamma 0.4': () => random.gamma(0.4),
      'gamma 7': () => random.gamma(7),
      'beta 0.5 2': () => random.beta(0.5, 2),
    };
    const sample = Float64Array.from({ length: 5000 }, () => draws[name]!());
    expect(ksOneSample(sample, cdf).pValue).toBeGreaterThan(0.001);
  });

  test('integers, shuffles and samples are even', () => {
    const random = seededRandom(23);
    const counts = { integer: [0, 0, 0, 0, 0], first: [0, 0, 0, 0, 0], sampled: [0, 0, 0, 0, 0] };
    for (let i = 0; i < 5000; i++) {
      counts.integer[random.integer(5)]! += 1;
      counts.first[random.shuffle([0, 1, 2, 3, 4])[0]!]! += 1;
      const pair = random.sample(5, 2);
      expect(new Set(pair).size).toBe(2);
      counts.sampled[pair[0]!]! += 1;
    }
    for (const observed of Object.values(counts))
      expect(chiSquaredGoodnessOfFit(observed).pValue).toBeGreaterThan(0.001);
    expect(() => random.sample(2, 3)).toThrow('count must be at most bound 2');
  });
});
