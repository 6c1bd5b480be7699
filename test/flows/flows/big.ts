/** Leaves an artifact that is too big to travel in a fact; tries again only where it is told to. */
import { flow } from '../../../sdk/index.ts';

const bytes = 200_000;

export default flow('big')
  .parameter('fill', { type: 'integer', default: 1 })
  .step('write', (_, { parameters }) => ({ small: 1, rows: new Uint8Array(bytes).fill(parameters.fill) }))
  .step('again', ({ rows }) => ({ copy: rows.map((value) => value + 1) }), { retry: { times: 1, on: ['platform'] } })
  .step('tell', ({ copy }) => ({ told: copy.length }));
