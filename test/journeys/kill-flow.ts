import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { flow } from '../../sdk/flow/index.ts';

/** Bytes of an artifact that is too big to travel in a fact: it is uploaded. */
const uploadedBytes = 100_000;

/** Two steps that leave an artifact each, one of them in the blob store; attempts that die with the platform are retried. The second lasts `pauseMs`, and until a file is there. */
export default flow('kill-test', { leaseMs: 4_000, startMs: 8_000 })
  .parameter('number', { type: 'integer', default: 0 })
  .parameter('pauseMs', { type: 'integer', default: 0 })
  .parameter('until', { type: 'string', default: '' })
  .on('kill-test')
  .step('first', (_, { parameters }) => ({ padded: String(parameters.number).padStart(uploadedBytes) }), { retry: 20 })
  .step(
    'second',
    async ({ padded }, { parameters }) => {
      await sleep(parameters.pauseMs);
      while (parameters.until !== '' && !existsSync(parameters.until)) await sleep(50);
      return { squared: Number(padded) ** 2 };
    },
    { retry: 20 },
  );
