import { describe, expect, test } from 'vitest';
import { EMPTY_EWMA, stepEwma } from '../../../statistics/online/ewma.ts';
import { indicesOf, runDetector } from '../detectors.ts';
import { expectGolden, goldenCases, num, nums } from '../golden.ts';

describe('EWMA chart', () => {
  test.each(goldenCases('ewma'))('%s', (_, golden) => {
    const { target, sigma, lambda, L } = golden.inputs;
    const options = { target: num(target), sigma: num(sigma), lambda: num(lambda), width: num(L) };
    const { verdicts } = runDetector(nums(golden.inputs['values']), EMPTY_EWMA, (state, value) =>
      stepEwma(state, value, options),
    );
    const alarms = indicesOf(verdicts, ({ alarm }) => alarm);
    expectGolden(golden, {
      out_of_control: alarms,
      first: alarms[0] ?? null,
      trace_index_z_lcl_ucl: (golden.expected['trace_index_z_lcl_ucl'] as number[][]).map(([index]) => {
        const { average, lower, upper } = verdicts[index!]!;
        return [index, average, lower, upper];
      }),
    });
  });

  test('refuses a weight outside (0, 1]', () => {
    expect(() => stepEwma(EMPTY_EWMA, 1, { target: 0, sigma: 1, lambda: 0 })).toThrow('lambda must lie within (0, 1]');
  });
});
