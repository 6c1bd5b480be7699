import { existsSync } from 'node:fs';
import { flow } from '../../sdk/index.ts';

/** Fails in its join until the marker is there: 51 tasks end well before it, and 2 are left. */
export default flow('interrupted')
  .parameter('marker', { type: 'string', required: true })
  .step('load', () => ({ numbers: Array.from({ length: 49 }, (_, n) => n) }))
  .foreach(
    'rows',
    ({ numbers }) => numbers,
    ({ item }) => ({ square: item * item }),
  )
  .join('sum', ({ inputs }, { parameters }) => {
    if (!existsSync(parameters.marker)) throw new Error(`${parameters.marker} is not there`);
    return { total: inputs.reduce((sum, { square }) => sum + square, 0) };
  })
  .step('tell', ({ total }) => ({ told: `${total}` }));
