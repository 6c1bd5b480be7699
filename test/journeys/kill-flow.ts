import { flow } from '../../sdk/flow/index.ts';

/** Two steps that leave artifacts; attempts that die with the platform are retried. */
export default flow('kill-test', { leaseMs: 4_000, startMs: 8_000 })
  .parameter('number', { type: 'integer', default: 0 })
  .parameter('pauseMs', { type: 'integer', default: 0 })
  .on('kill-test')
  .step('first', (_, { parameters }) => ({ doubled: parameters.number * 2 }), { retry: 20 })
  .step(
    'second',
    async ({ doubled }, { parameters }) => {
      await new Promise((resolve) => setTimeout(resolve, parameters.pauseMs));
      return { squared: doubled * doubled };
    },
    { retry: 20 },
  );
