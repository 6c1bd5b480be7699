import { describe, expect, test } from 'vitest';
import type { BinaryVerdict } from '../../../statistics/online/binary/binary-verdict.ts';
import { EMPTY_DDM, stepDdm } from '../../../statistics/online/binary/ddm.ts';
import { EMPTY_EDDM, stepEddm } from '../../../statistics/online/binary/eddm.ts';
import { EMPTY_HDDM_A, stepHddmA } from '../../../statistics/online/binary/hddm-a.ts';
import { EMPTY_HDDM_W, stepHddmW } from '../../../statistics/online/binary/hddm-w.ts';
import { indicesOf, runDetector } from '../detectors.ts';
import { type Golden, goldenCases, num, nums } from '../golden.ts';

const run = {
  ddm: ({ inputs }: Golden) => {
    const options = {
      warmStart: num(inputs['warm_start']),
      warningThreshold: num(inputs['warning_threshold']),
      driftThreshold: num(inputs['drift_threshold']),
    };
    return runDetector(nums(inputs['errors']), EMPTY_DDM, (state, error) => stepDdm(state, error, options));
  },
  eddm: ({ inputs }: Golden) => {
    const options = { warmStart: num(inputs['warm_start']), alpha: num(inputs['alpha']), beta: num(inputs['beta']) };
    return runDetector(nums(inputs['errors']), EMPTY_EDDM, (state, error) => stepEddm(state, error, options));
  },
  hddma: ({ inputs }: Golden) => {
    const options = confidences(inputs);
    return runDetector(nums(inputs['errors']), EMPTY_HDDM_A, (state, error) => stepHddmA(state, error, options));
  },
  hddmw: ({ inputs }: Golden) => {
    const options = { ...confidences(inputs), lambda: num(inputs['lambda_val']) };
    return runDetector(nums(inputs['errors']), EMPTY_HDDM_W, (state, error) => stepHddmW(state, error, options));
  },
};

describe('detectors on a stream of errors', () => {
  test.each(goldenCases('binary-drift'))('%s', (name, golden) => {
    const detector = name.split('-')[0] as keyof typeof run;
    const { verdicts, stateSizeMax } = run[detector](golden);
    const detections = indicesOf<BinaryVerdict>(verdicts, ({ drift }) => drift);
    const wanted = nums(golden.expected['detections']);
    if (nums(golden.expected['change_points']).length === 0) {
      expect(Math.abs(detections.length - wanted.length)).toBeLessThanOrEqual(1);
    } else {
      expect(detections.length).toBe(wanted.length);
      detections.forEach((at, i) => expect(Math.abs(at - wanted[i]!), `detection ${i}`).toBeLessThanOrEqual(30));
    }
    expect(stateSizeMax).toBeLessThan(300);
  });

  test('refuse anything but 0 and 1', () => {
    expect(() => stepDdm(EMPTY_DDM, 2)).toThrow('error must be 0 or 1, got 2');
    expect(() => stepEddm(EMPTY_EDDM, Number.NaN)).toThrow('error must be 0 or 1, got NaN');
  });
});

function confidences(inputs: Golden['inputs']): { driftConfidence: number; warningConfidence: number } {
  return {
    driftConfidence: num(inputs['drift_confidence']),
    warningConfidence: num(inputs['warning_confidence']),
  };
}
