import { describe, expect, test } from 'vitest';
import { EMPTY_PAGE_HINKLEY, stepPageHinkley } from '../../../statistics/online/page-hinkley.ts';
import { indicesOf, runDetector } from '../detectors.ts';
import { expectGolden, goldenCases, num, nums } from '../golden.ts';

describe('Page–Hinkley', () => {
  test.each(goldenCases('page-hinkley'))('%s', (_, golden) => {
    const { min_instances, delta, threshold, alpha, mode } = golden.inputs;
    const options = {
      minInstances: num(min_instances),
      delta: num(delta),
      threshold: num(threshold),
      alpha: num(alpha),
      mode: mode as 'up' | 'both',
    };
    const { verdicts } = runDetector(nums(golden.inputs['values']), EMPTY_PAGE_HINKLEY, (state, value) =>
      stepPageHinkley(state, value, options),
    );
    // The recursion is stated, so the detections must be the very same.
    expect(indicesOf(verdicts, ({ alarm }) => alarm)).toEqual(golden.expected['detections']);
    expectGolden(
      golden,
      {
        trace_index_mean_sumup_sumdown: (golden.expected['trace_index_mean_sumup_sumdown'] as number[][]).map(
          ([index]) => {
            const { mean, up, down } = verdicts[index!]!;
            return [index, mean, up, down];
          },
        ),
      },
      ['detections', 'change_points'],
    );
  });
});
