/**
 * The whole command `millrace run` of a flow of one step, in a folder in which nothing runs: from the start of the process to its exit.
 * Median of the runs; each has a directory of its own. Uses the compiled program. Run: `npx tsx bench/flows/cold-run.ts [runs] [--json]`.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import { positionals, sayFigures } from '../figures.ts';

const runs = Number(positionals[0] ?? 5);
const { url, typescript } = moduleForChild('cli/main');
const entry = [...(typescript ? ['--import', import.meta.resolve('tsx')] : []), fileURLToPath(url)];
const flow = fileURLToPath(moduleForChild('bench/flows/one-step').url);
const took: number[] = [];
for (let run = 0; run < runs; run++) took.push(await runOnce());
took.sort((a, b) => a - b);
const median = took[took.length >> 1] ?? Number.NaN;
console.log(`run of a flow of one step, whole command (${typescript ? 'tsx' : 'compiled'})   ${median.toFixed(0)} ms`);
sayFigures([{ name: 'run of a one-step flow, cold, whole command', value: median, unit: 'ms' }]);

async function runOnce(): Promise<number> {
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
