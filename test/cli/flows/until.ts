import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { flow } from '../../../sdk/index.ts';

/** Runs until a file is there. */
export default flow('until')
  .parameter('file', { type: 'string', required: true })
  .step('wait', async (_, { parameters }) => {
    console.log('waits for the file');
    while (!existsSync(parameters.file)) await setTimeout(20);
    console.log('there');
  });
