/** Waits in its join until the marker is there. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { flow } from '../../../sdk/index.ts';

export default flow('held', { maxWorkers: 8 })
  .parameter('marker', { type: 'string', required: true })
  .step('load', () => ({ stamp: `${process.pid}-${Date.now()}`, numbers: Array.from({ length: 12 }, (_, n) => n) }))
  .foreach(
    'rows',
    ({ numbers }) => numbers,
    ({ item, stamp }) => ({ square: item * item, from: stamp }),
  )
  .join('sum', async ({ inputs }, { parameters }) => {
    while (!existsSync(parameters.marker)) await sleep(50);
    return { total: inputs.reduce((sum, { square }) => sum + square, 0), from: inputs[0]?.from };
  });
