import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { compiledFile } from '../../compiled.ts';

const child = compiledFile(new URL('write-child.ts', import.meta.url));

/** Runs `write-child.ts`, kills it with -9 once it told `writesMin` writes, and answers the last one it told. */
export async function killWhileWriting(
  adapter: { readonly module: string; readonly open: string; readonly options: object },
  writesMin: number,
): Promise<number> {
  const process_ = spawn(process.execPath, [child, adapter.module, adapter.open, JSON.stringify(adapter.options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => process_.once('exit', resolve));
  let acknowledged = 0;
  for await (const line of createInterface({ input: process_.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= writesMin && !process_.killed) process_.kill('SIGKILL');
  }
  await exited;
  if (process_.signalCode !== 'SIGKILL') throw new Error(`The child ended by itself after ${acknowledged} writes.`);
  return acknowledged;
}
