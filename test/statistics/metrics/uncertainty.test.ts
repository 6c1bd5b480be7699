import { expect, test } from 'vitest';
import { classificationUncertainty } from '../../../statistics/metrics/uncertainty.ts';
import { expectGolden, goldenCase, rows } from '../golden.ts';

test('uncertainty of class probabilities', () => {
  const golden = goldenCase('uncertainty', 'rows');
  const results = rows(golden.inputs['probabilities']).map(classificationUncertainty);
  expectGolden(golden, {
    entropy_nats: results.map(({ entropy }) => entropy),
    margin_uncertainty: results.map(({ margin }) => margin),
    least_confidence: results.map(({ leastConfidence }) => leastConfidence),
  });
  expect(classificationUncertainty([1])).toEqual({ entropy: 0, margin: 0, leastConfidence: 0 });
  expect(() => classificationUncertainty([0.5, 0.2])).toThrow('probabilities must sum to 1, got 0.7');
});
