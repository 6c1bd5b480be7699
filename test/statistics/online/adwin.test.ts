import { describe, expect, test } from 'vitest';
import { EMPTY_ADWIN, stepAdwin } from '../../../statistics/online/adwin.ts';
import { variance } from '../../../statistics/samples/descriptive.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { indicesOf, runDetector } from '../detectors.ts';
import { goldenCases, num, nums } from '../golden.ts';

describe('ADWIN', () => {
  test.each(goldenCases('adwin'))('%s', (_, golden) => {
    const { delta, clock, max_buckets, min_window_length, grace_period } = golden.inputs;
    const options = {
      delta: num(delta),
      clock: num(clock),
      maxBuckets: num(max_buckets),
      minWindowLength: num(min_window_length),
      gracePeriod: num(grace_period),
    };
    const { verdicts } = runDetector(nums(golden.inputs['values']), EMPTY_ADWIN, (state, value) =>
      stepAdwin(state, value, options),
    );
    const detections = indicesOf(verdicts, ({ alarm }) => alarm);
    const wanted = nums(golden.expected['detections']);
    const changes = nums(golden.expected['change_points']);
    if (changes.length === 0) {
      expect(Math.abs(detections.length - wanted.length)).toBeLessThanOrEqual(1);
    } else {
      const bounds = [...changes, Infinity];
      changes.forEach((from, c) => {
        const within = (at: number) => at >= from && at < bounds[c + 1]!;
        expect(detections.filter(within).length).toBe(wanted.filter(within).length);
      });
      wanted.forEach((at, i) => {
        expect(Math.abs(detections[i]! - at), `detection ${i}`).toBeLessThanOrEqual(2 * options.clock + 10);
      });
    }
    const [first] = golden.expected['index_width_mean'] as number[][];
    if (first !== undefined) {
      const [index, width, mean] = first;
      expect(verdicts[index!]!.width).toBe(width);
      expect(verdicts[index!]!.mean).toBeCloseTo(mean!, 9);
      const window = nums(golden.inputs['values']).slice(0, width);
      expect(verdicts[index!]!.variance).toBeCloseTo((variance(window) * (width! - 1)) / width!, 9);
    }
  });

  test('keeps logarithmic memory on a long stream', () => {
    const random = seededRandom(4);
    const values = Array.from({ length: 20_000 }, () => random.normal());
    const { verdicts, stateSizeMax } = runDetector(values, EMPTY_ADWIN, stepAdwin);
    expect(verdicts[verdicts.length - 1]!.width).toBeGreaterThan(1000);
    expect(stateSizeMax).toBeLessThan(10_000);
  });

  test('keeps the newer part of the window when asked to shrink', () => {
    const values = [...Array.from({ length: 400 }, () => 0), ...Array.from({ length: 100 }, () => 1)];
    const { verdicts } = runDetector(values, EMPTY_ADWIN, (state, value) =>
      stepAdwin(state, value, { clock: 1, afterDetection: 'shrink' }),
    );
    const last = verdicts[verdicts.length - 1]!;
    expect(last.mean).toBeGreaterThan(0.9);
    expect(last.width).toBeGreaterThan(50);
  });
});
