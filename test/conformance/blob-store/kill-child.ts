import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { compiledFile } from '../../compiled.ts';

const script = compiledFile(new URL('put-child.ts', import.meta.url));

/** Runs `put-child.ts` and kills it with -9 once the store took `bytesMin` bytes of its stream. */
export async function killWhilePutting(
  adapter: { readonly module: string; readonly open: string; readonly options: unknown },
  bytesMin: number,
): Promise<void> {
  const child = spawn(process.execPath, [script, adapter.module, adapter.open, JSON.stringify(adapter.options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (Number(line) >= bytesMin) child.kill('SIGKILL');
  }
  await ended;
  if (child.signalCode !== 'SIGKILL') throw new Error('The child ended by itself.');
}
