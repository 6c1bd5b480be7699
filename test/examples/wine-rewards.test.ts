/** The reward function of the wine example over all wines, with the two models of the wine demo, against figures that were measured elsewhere. */
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import wine from '../../examples/wine/deployment.ts';
import { readWines } from '../../examples/wine/data.ts';
import type { RewardCase } from '../../sdk/index.ts';
import { rewardQuality } from '../../statistics/metrics/quality.ts';

/** Measured by onnxruntime and numpy in Python, over all 4,898 wines. */
const measured = {
  'wine-a': { mean: 2_820, median: 3.93, squaredError: 0.6108 },
  'wine-b': { mean: 27_215, median: 3.01, squaredError: 0.6609 },
} as const;

const { x, quality } = readWines();
const reward = wine.functions.get('(reward)') as unknown as (given: RewardCase) => number;

async function rewardsOf(name: keyof typeof measured): Promise<{ rewards: number[]; squaredError: number }> {
  const session = await InferenceSession.create(readFileSync(new URL(`../models/${name}.onnx`, import.meta.url)));
  const [input = ''] = session.inputNames;
  const tensor = new Tensor('float32', Float32Array.from(x.values), [x.rows, x.columns]);
  const [output] = Object.values(await session.run({ [input]: tensor }));
  const answers = Array.from((output?.data ?? []) as Float32Array);
  const given = { answer: null, label: null, row: null, route: name, model: name, modelVersion: 1 };
  const rewards = answers.map((prediction, row) => reward({ ...given, prediction, truth: quality[row] ?? null }));
  const squares = answers.map((prediction, row) => (prediction - (quality[row] ?? 0)) ** 2);
  return { rewards, squaredError: squares.reduce((sum, square) => sum + square, 0) / squares.length };
}

it('has the larger mean for the worse model; the median and the errors say which is better, and quality says so', async () => {
  const [a, b] = await Promise.all([rewardsOf('wine-a'), rewardsOf('wine-b')]);
  for (const [found, wanted] of [
    [a, measured['wine-a']],
    [b, measured['wine-b']],
  ] as const) {
    const { mean, median, trust, why } = rewardQuality(found.rewards);
    // A hit that is almost exact hangs on the last bits of the prediction.
    expect(mean / wanted.mean).toBeCloseTo(1, 1);
    expect(median).toBeCloseTo(wanted.median, 2);
    expect(found.squaredError).toBeCloseTo(wanted.squaredError, 4);
    expect([trust, why]).toEqual(['median', expect.stringContaining('a few rows rule it')]);
  }
  expect(a.squaredError).toBeLessThan(b.squaredError);
});
