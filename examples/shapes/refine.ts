/** Bounded recursion: Newton's square root, again until it is exact enough, at most twenty times. */
import { flow } from '../../sdk/index.ts';

export default flow('refine')
  .parameter('of', { type: 'number', default: 2 })
  .step('guess', () => ({ root: 1, rounds: 0 }))
  .repeat(
    'improve',
    ({ root, rounds }, { parameters, index }) => {
      if (index !== rounds) throw new Error(`round ${index} sees ${rounds} rounds`);
      return { root: (root + parameters.of / root) / 2, rounds: rounds + 1 };
    },
    { until: ({ root }) => Math.abs(root * root - 2) < 1e-12, most: 20 },
  )
  .step('tell', ({ root, rounds }) => ({ told: `${root.toFixed(6)} after ${rounds} rounds` }));
