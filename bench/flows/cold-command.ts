/** The whole command `millrace run` of a flow of one step, in a folder in which nothing runs: from the start of the process to its exit. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';

const { url, typescript } = moduleForChild('cli/main');
const entry = [...(typescript ? ['--import', import.meta.resolve('tsx')] : []), fileURLToPath(url)];
const flow = fileURLToPath(moduleForChild('bench/flows/one-step').url);

/** How the program runs: `compiled` is what users have. */
export const program = typescript ? 'tsx' : 'compiled';

/** Milliseconds; each run has a directory of its own. */
export async function coldRun(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  try {
    const began = performance.now();
    const words = ['run', flow, '--directory', join(directory, '.millrace')];
    const child = spawn(process.execPath, [...entry, ...words], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`millrace run ended with ${code}: ${text}`);
    return performance.now() - began;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
