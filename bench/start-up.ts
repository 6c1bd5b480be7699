/**
 * Start-up of the all-in-one to ready, and resident memory of its process tree then: `millrace dev` on an empty directory, three times,
 * median. Run: `npx tsx bench/start-up.ts [--json]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moduleForChild } from '../runtime/adapters/child-module.ts';
import { sayFigures } from './figures.ts';
import { residentMebibytes, treeOf } from './process-tree.ts';

const { url, typescript } = moduleForChild('cli/main');
const entry = [...(typescript ? ['--import', import.meta.resolve('tsx')] : []), fileURLToPath(url)];
const runs: { readonly ms: number; readonly mebibytes: number; readonly processes: number }[] = [];
for (let run = 0; run < 3; run++) runs.push(await startOnce());

const ms = median(runs.map((run) => run.ms));
const mebibytes = median(runs.map((run) => run.mebibytes));
console.log(`start-up to ready (${typescript ? 'tsx' : 'compiled'})   ${Math.round(ms)} ms`);
console.log(`resident memory, ${runs[0]?.processes} processes   ${Math.round(mebibytes)} MiB`);
sayFigures([
  { name: 'start-up of the all-in-one', value: Math.round(ms), unit: 'ms' },
  { name: 'resident memory of the process tree, idle', value: Math.round(mebibytes), unit: 'MiB' },
]);

async function startOnce(): Promise<{ ms: number; mebibytes: number; processes: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const began = performance.now();
  const args = [...entry, 'dev', '--no-sample', '--port', '0', '--directory', directory];
  const child = spawn(process.execPath, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    await said(child, ' is up after ');
    const ms = performance.now() - began;
    const tree = treeOf(child.pid ?? 0);
    return { ms, mebibytes: residentMebibytes(tree), processes: tree.length };
  } finally {
    child.kill('SIGTERM');
    await exited;
    await rm(directory, { recursive: true, force: true });
  }
}

function said(child: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const hear = (chunk: Buffer): void => {
      text += chunk.toString('utf8');
      if (text.includes(words) || text.replace(/\u001b\[\d+m/g, '').includes(words)) resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('exit', (code) => reject(new Error(`millrace dev ended with ${code}: ${text}`)));
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
