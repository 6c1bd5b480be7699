import { flow } from '../../sdk/flow/index.ts';

/** Two steps that leave artifacts; attempts that die with the platform are retried. */
export default flow('kill-test', { leaseMs: 4_000 })
  .parameter('number', { type: 'integer', default: 0 })
  .on('kill-test', { parameters: { number: 'number' } })
  .step('first', (_, { parameters }) => ({ doubled: parameters.number * 2 }), { retry: 20 })
  .step('second', ({ doubled }) => ({ squared: doubled * doubled }), { retry: 20 });
