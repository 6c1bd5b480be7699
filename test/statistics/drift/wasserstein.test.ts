import { describe, expect, test } from 'vitest';
import { energyDistance, standardisedWasserstein, wasserstein } from '../../../statistics/drift/wasserstein.ts';
import { expectGolden, goldenCases, nums } from '../golden.ts';

describe('Wasserstein and energy distance', () => {
  test.each(goldenCases('wasserstein'))('%s', (_, golden) => {
    const x = nums(golden.inputs['x']);
    const y = nums(golden.inputs['y']);
    const weights =
      'x_weights' in golden.inputs ? { x: nums(golden.inputs['x_weights']), y: nums(golden.inputs['y_weights']) } : {};
    expectGolden(golden, {
      w1: wasserstein(x, y, weights),
      energy_distance: energyDistance(x, y, weights),
      w1_over_std: standardisedWasserstein(x, y),
    });
  });

  test('refuses what cannot be measured', () => {
    expect(() => wasserstein([1, Infinity], [1])).toThrow('x[1] must be a finite number, got Infinity');
    expect(() => wasserstein([1], [1], { x: [0] })).toThrow('weights.x must hold at least one above 0');
    expect(standardisedWasserstein([3, 3], [4, 4])).toBe(Infinity);
    expect(standardisedWasserstein([3, 3], [3, 3])).toBe(0);
  });
});
