import { describe, expect, test } from 'vitest';
import { emptyKswin, stepKswin } from '../../../statistics/online/kswin.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { indicesOf, runDetector } from '../detectors.ts';
import { goldenCases, num, nums } from '../golden.ts';

describe('KSWIN', () => {
  test.each(goldenCases('kswin'))('%s', (_, golden) => {
    const { alpha, window_size, stat_size } = golden.inputs;
    const options = { alpha: num(alpha), windowSize: num(window_size), statSize: num(stat_size) };
    const seed = 6;
    const { verdicts, stateSizeMax } = runDetector(nums(golden.inputs['values']), emptyKswin(seed), (state, value) =>
      stepKswin(state, value, options),
    );
    const detections = indicesOf(verdicts, ({ alarm }) => alarm);
    const [change = 0] = nums(golden.expected['change_points']);
    const before = detections.filter((at) => at < change).length;
    const range = golden.expected['first_detection_after_change_min_max'] as [number, number] | null;
    expect(before, `seed ${seed}`).toBeLessThanOrEqual(num(golden.expected['max_detections_before_change']) + 2);
    if (change > 0 && golden.expected['share_of_seeds_detecting_after_change'] === 1) {
      const first = detections.find((at) => at >= change);
      expect(first).toBeGreaterThanOrEqual(range![0] - 30);
      expect(first).toBeLessThanOrEqual(range![1] + 30);
    }
    if (change === 0) {
      const allowed = num(golden.expected['max_detections_before_change']) + 2;
      expect(detections.length, `seed ${seed}`).toBeLessThanOrEqual(allowed);
    }
    expect(stateSizeMax).toBeLessThan(options.windowSize * 25 + 100);
  });

  test('stays quiet far from zero, drawing only from its window', () => {
    const random = seededRandom(2);
    const values = Array.from({ length: 400 }, () => 1000 + random.normal());
    const { verdicts } = runDetector(values, emptyKswin(1), (state, value) => stepKswin(state, value, { alpha: 1e-4 }));
    expect(indicesOf(verdicts, ({ alarm }) => alarm)).toEqual([]);
    expect(verdicts[98]!.pValue).toBeNull();
    expect(verdicts[99]!.pValue).toBeGreaterThan(0);
  });

  test('refuses a window shorter than both samples', () => {
    expect(() => stepKswin(emptyKswin(1), 1, { windowSize: 50 })).toThrow(
      'windowSize must be an integer of at least 60',
    );
  });
});
