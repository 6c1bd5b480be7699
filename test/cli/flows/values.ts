import { flow } from '../../../sdk/index.ts';

/** Leaves what JSON does not have. */
export default flow('values').step('leave', () => ({
  big: 2n ** 64n,
  byName: new Map([['a', Number.NaN]]),
  byNumber: new Map([[1, 'one']]),
  names: new Set(['b', 'c']),
  weights: { first: Float64Array.of(0.5, 1), bytes: new Uint8Array(3) },
  day: new Date(0),
}));
