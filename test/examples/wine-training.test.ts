import { describe, expect, it } from 'vitest';
import { fitElasticNet } from '../../examples/diamonds/elastic-net.ts';
import { evaluate } from '../../examples/diamonds/evaluation.ts';
import { parseWines, readWines, selectWines, type WineData } from '../../examples/wine/data.ts';
import { splitLikeNumpy } from '../../examples/wine/split.ts';

const wines = readWines();
const rows = splitLikeNumpy(wines.quality.length, 40);
const train = selectWines(wines, rows.train);
const test = selectWines(wines, rows.test);

describe('wine data', () => {
  it('holds the 4,898 white wines', () => {
    expect([wines.quality.length, wines.columns.length]).toEqual([4898, 11]);
    expect([wines.columns[0], wines.columns[10]]).toEqual(['fixed acidity', 'alcohol']);
    expect([...wines.x.values.slice(0, 3), wines.quality[0]]).toEqual([7, 0.27, 0.36, 6]);
    expect(wines.quality.reduce((a, b) => a + b, 0) / 4898).toBeCloseTo(5.8779, 4);
  });

  it('names the line that it cannot read', () => {
    expect(() => parseWines('"a","quality"\n1,5\n1,x\n')).toThrow(/line 3: expected 2 numbers, got '1,x'/);
  });

  it('is split as numpy seeded with 40 splits it', () => {
    expect([...rows.test.slice(0, 8)]).toEqual([1876, 147, 3121, 4778, 4207, 70, 2870, 1969]);
    expect([...rows.train.slice(0, 8)]).toEqual([2213, 3375, 4596, 4360, 269, 1900, 4394, 4002]);
    expect([rows.test.length, rows.train.length]).toEqual([1225, 3673]);
    expect(rows.test.reduce((a, b) => a + b, 0)).toBe(3_058_355);
  });
});

/** `published` by scikit-learn's default stop at 1e-4; `optimum` by scikit-learn at 1e-12: [rmse, r2]. */
describe.each<{
  alpha: number;
  optimum: [number, number];
  published: [number, number];
  intercept: number;
  weights: Record<string, number>;
}>([
  {
    ...{ alpha: 0.1, optimum: [0.7792525659269856, 0.21571058387904662], published: [0.7792546522, 0.2157063843] },
    intercept: 2.83945479,
    weights: {
      ...{ 'fixed acidity': -0.0389041, 'volatile acidity': -0.0822443, 'residual sugar': 0.0140437 },
      ...{ 'free sulfur dioxide': 0.0085478, 'total sulfur dioxide': -0.002303, alcohol: 0.3092902 },
    },
  },
  {
    ...{ alpha: 1, optimum: [0.8107358700786891, 0.1510567708431435], published: [0.8107373707, 0.1510536281] },
    intercept: 4.67593427,
    weights: {
      ...{ 'free sulfur dioxide': 0.0091759, 'total sulfur dioxide': -0.0040671, alcohol: 0.1368092 },
    },
  },
])('elastic net on raw wine columns, alpha $alpha', ({ alpha, optimum, published, intercept, weights }) => {
  const fit = fitElasticNet(train.x, train.quality, { alpha, l1Ratio: 0.1, standardize: false, tolerance: 1e-13 });

  it('reaches the optimum that scikit-learn reaches', () => {
    const { rmse, r2 } = evaluate(predict(test, fit), test.quality);
    expect(Math.abs(rmse - optimum[0])).toBeLessThan(1e-8);
    expect(Math.abs(r2 - optimum[1])).toBeLessThan(1e-8);
    expect(Math.abs(rmse - published[0])).toBeLessThan(1e-5);
    expect(Math.abs(r2 - published[1])).toBeLessThan(1e-5);
  });

  it('gives the published weights, and none to the columns that they leave out', () => {
    expect(Math.abs(fit.intercept - intercept)).toBeLessThan(1e-3);
    wines.columns.forEach((name, j) => {
      const expected = weights[name];
      if (expected === undefined) expect(fit.coefficients[j]).toBe(0);
      else expect(Math.abs(fit.coefficients[j]! - expected)).toBeLessThan(1e-4);
    });
  });
});

function predict(data: WineData, fit: { coefficients: Float64Array; intercept: number }): Float64Array {
  const { values, columns } = data.x;
  return data.quality.map((_, row) =>
    [...values.subarray(row * columns, (row + 1) * columns)].reduce(
      (sum, value, j) => sum + value * fit.coefficients[j]!,
      fit.intercept,
    ),
  );
}
