import { describe, expect, test } from 'vitest';
import { EMPTY_CUSUM, stepCusum } from '../../../statistics/online/cusum.ts';
import { indicesOf, runDetector } from '../detectors.ts';
import { expectGolden, goldenCases, num, nums } from '../golden.ts';

describe('CUSUM', () => {
  test.each(goldenCases('cusum'))('%s', (_, golden) => {
    const { target, sigma, k, h } = golden.inputs;
    const options = { target: num(target), sigma: num(sigma), k: num(k), h: num(h) };
    const { verdicts, stateSizeMax } = runDetector(nums(golden.inputs['values']), EMPTY_CUSUM, (state, value) =>
      stepCusum(state, value, options),
    );
    const detections = indicesOf(verdicts, ({ alarm }) => alarm);
    expectGolden(golden, {
      detections,
      direction: detections.map((i) => verdicts[i]!.direction),
      trace_index_up_down: (golden.expected['trace_index_up_down'] as number[][]).map(([index]) => {
        const { up, down } = verdicts[index!]!;
        return [index, up, down];
      }),
    });
    expect(stateSizeMax).toBeLessThan(100);
  });

  test('refuses NaN and a sigma of 0', () => {
    expect(() => stepCusum(EMPTY_CUSUM, Number.NaN, { target: 0, sigma: 1 })).toThrow('value must be a finite number');
    expect(() => stepCusum(EMPTY_CUSUM, 1, { target: 0, sigma: 0 })).toThrow('sigma must be a positive number, got 0');
  });
});
