import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { compiledFile } from '../../compiled.ts';

const child = compiledFile(new URL('commit-child.ts', import.meta.url));

/** Runs `commit-child.ts`, kills it with -9 once it told `commitsMin` commits, and answers the last one it told. */
export async function killWhileCommitting(
  adapter: { readonly module: string; readonly open: string; readonly options: unknown },
  commitsMin: number,
): Promise<number> {
  const process_ = spawn(process.execPath, [child, adapter.module, adapter.open, JSON.stringify(adapter.options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  for await (const line of createInterface({ input: process_.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= commitsMin && !process_.killed) process_.kill('SIGKILL');
  }
  if (process_.exitCode === null && process_.signalCode === null)
    await new Promise((resolve) => process_.once('exit', resolve));
  if (process_.signalCode !== 'SIGKILL') throw new Error(`The child ended by itself after ${acknowledged} commits.`);
  return acknowledged;
}
