import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { flow } from '../../../sdk/flow/index.ts';

/** One step that is not retried; it ends when a file is there, at once without one. Work that nobody takes in time is soon given to another. */
export default flow('two-workers', { leaseMs: 20_000, startMs: 3_000 })
  .parameter('until', { type: 'string', default: '' })
  .step('work', async (_, { parameters }) => {
    while (parameters.until !== '' && !existsSync(parameters.until)) await sleep(50);
    return { done: true };
  });
