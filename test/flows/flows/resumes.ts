/** Fails in its join until the marker is there. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { flow } from '../../../sdk/index.ts';

export default flow('resumes', { maxWorkers: 8, maxSplits: 100 })
  .parameter('marker', { type: 'string', required: true })
  .parameter('items', { type: 'integer', default: 3 })
  .parameter('holdMs', { type: 'integer', default: 0 })
  .step('load', (_, { parameters }) => ({
    stamp: `${process.pid}-${Date.now()}`,
    numbers: Array.from({ length: parameters.items }, (__, n) => n),
  }))
  .foreach(
    'rows',
    ({ numbers }) => numbers,
    ({ item, stamp }) => ({ square: item * item, from: stamp }),
  )
  .join('sum', async ({ inputs }, { parameters }) => {
    const total = inputs.reduce((sum, { square }) => sum + square, 0);
    await sleep(parameters.holdMs);
    if (!existsSync(parameters.marker)) throw new Error(`${parameters.marker} is not there`);
    return { total, stamp: inputs[0]?.from };
  })
  .step('tell', ({ total, stamp }) => ({ told: `${total} of ${stamp}` }));
