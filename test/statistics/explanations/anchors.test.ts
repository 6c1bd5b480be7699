import { describe, expect, test } from 'vitest';
import { findAnchor, populationProblem } from '../../../statistics/explanations/anchors.ts';
import { explorationRate, klLowerBound, klUpperBound } from '../../../statistics/explanations/kl-lucb.ts';
import { answer } from '../../../statistics/explanations/questions.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { tabularAnchorProblem } from '../../../statistics/explanations/tabular-anchors.ts';
import { expectGolden, goldenCase, goldenCases, num, nums, rows } from '../golden.ts';

interface KnownRule {
  readonly features: number[];
  readonly precision: number;
  readonly coverage: number;
}

describe('anchors', () => {
  const noQuestions = () => {
    throw new Error('a finite population needs no questions');
  };

  test.each(goldenCases('anchors', 'finite-population'))('%s', (_, golden) => {
    const labels = nums(golden.inputs['label']);
    const explained = num(golden.inputs['row']);
    const problem = populationProblem(rows(golden.inputs['rows']), labels, explained);
    const allRules = golden.expected['all_rules'] as KnownRule[];
    expect(labels[explained]).toBe(golden.expected['target']);
    for (const { features, precision, coverage } of allRules) {
      expect(problem.precision!(features)).toBeCloseTo(precision, 12);
      expect(problem.coverage(features)).toBeCloseTo(coverage, 12);
    }
    const threshold = num(golden.inputs['precision_threshold']);
    const anchor = answer(findAnchor(problem, { precisionThreshold: threshold }), noQuestions);
    const best = golden.expected['best_coverage_rule'] as KnownRule;
    expect(anchor.valid).toBe(true);
    expect(anchor.precision).toBeGreaterThanOrEqual(threshold);
    expect(anchor.coverage).toBeGreaterThanOrEqual(0.8 * best.coverage);
    expect(anchor.rule.length).toBe(golden.expected['shortest_valid_length']);
  });

  test('kl-lucb-bounds', () => {
    const golden = goldenCase('anchors', 'kl-lucb-bounds');
    const pairs = rows(golden.inputs['p_level']);
    expectGolden(golden, {
      upper: pairs.map(([p, level]) => klUpperBound(p!, level!)),
      lower: pairs.map(([p, level]) => klLowerBound(p!, level!)),
    });
    const level = Math.log((405.5 * 10) / 0.05);
    expect(explorationRate(10, 1, 0.05)).toBeCloseTo(level + Math.log(level), 12);
    expect(explorationRate(10, 2, 0.05)).toBeGreaterThan(explorationRate(10, 1, 0.05));
  });

  test('of a model are found by asking about drawn rows, within a budget', () => {
    // The known model of the golden population: label = (x0 ≥ 2 and x1 = 1) or x2 = 3.
    const golden = goldenCase('anchors', 'finite-population-2');
    const population = rows(golden.inputs['rows']);
    const row = population[num(golden.inputs['row'])]!;
    let asked = 0;
    const predict = (batch: readonly (readonly number[])[]) => {
      asked += batch.length;
      return batch.map((x) => ((x[0]! >= 2 && x[1] === 1) || x[2] === 3 ? 1 : 0));
    };
    const problem = tabularAnchorProblem(row, predict([row])[0]!, population, seededRandom(14), {
      categorical: [0, 1, 2, 3],
    });
    const anchor = answer(findAnchor(problem, { drawsMax: 2000 }), predict);
    expect(anchor).toMatchObject({ rule: [0, 1], valid: true });
    expect(anchor.precisionBounds[0]).toBeGreaterThanOrEqual(0.95);
    expect(anchor.coverage).toBeCloseTo(0.065, 12);
    expect(asked).toBeLessThan(30_000);
    expect(problem.condition(1)).toEqual({ feature: 1, equals: 1 });
  });

  test('hold a numeric feature within its quartile', () => {
    const random = seededRandom(3);
    const population = Array.from({ length: 500 }, () => [random.normal(), random.normal()]);
    const problem = tabularAnchorProblem([2, 0], 1, population, random);
    const anchor = answer(findAnchor(problem), (batch) => batch.map((x) => (x[0]! > 0.5 ? 1 : 0)));
    expect(anchor).toMatchObject({ rule: [0], valid: true });
    expect(problem.condition(0)).toMatchObject({ feature: 0, high: Infinity });
  });

  test('say when no rule is good enough', () => {
    const random = seededRandom(3);
    const problem = tabularAnchorProblem(
      [0, 0],
      1,
      [
        [0, 0],
        [1, 1],
      ],
      random,
      { categorical: [0, 1] },
    );
    const coin = (batch: readonly unknown[]) => batch.map(() => random.integer(2));
    const anchor = answer(findAnchor(problem, { drawsMax: 500 }), coin);
    expect(anchor.valid).toBe(false);
    expect(anchor.precision).toBeLessThan(0.7);
  });
});
