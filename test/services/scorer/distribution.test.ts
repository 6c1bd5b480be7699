import { expect, it } from 'vitest';
import { distributionOf } from '../../../services/scorer/distribution.ts';

it('categories are shown by their labels, those without one by their code', () => {
  const column = { name: 'cut', categorical: true, reference: [0, 0, 1, 2], current: [0, 1, 1, 3] };
  const shown = distributionOf(column, ['fair', 'good']);
  expect(shown.categories.toSorted()).toEqual(['2', '3', 'fair', 'good']);
  const share = (label: string, side: readonly number[]): number | undefined => side[shown.categories.indexOf(label)];
  expect([share('fair', shown.reference), share('good', shown.window)]).toEqual([0.5, 0.5]);
  expect(distributionOf(column as never).categories.toSorted()).toEqual(['0', '1', '2', '3']);
});
