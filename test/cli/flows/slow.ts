import { spawn } from 'node:child_process';
import { flow } from '../../../sdk/index.ts';

/** Runs until it is stopped, with a child of its own. */
export default flow('slow').step('wait', async () => {
  const child = spawn('sleep', ['300']);
  console.log(`child ${child.pid}`);
  for (let second = 0; ; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    console.log(`second ${second}`);
  }
});
