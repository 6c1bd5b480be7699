/**
 * Every figure, each case in a process of its own, one after the other: prints a table and writes `bench/results/latest.json`.
 * Run: `npm run bench`, or `npx tsx bench/run.ts <part of a case's name> …` for some of them.
 */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compileSources } from '../test/compiled.ts';
import type { Figure } from './figures.ts';
import { targets } from './targets.ts';

interface Case {
  readonly name: string;
  readonly script: string;
  readonly args?: readonly string[];
  /** Runs as JavaScript, as what is published does; the others need files that lie beside their sources. */
  readonly compiled?: true;
}

const cases: readonly Case[] = [
  { name: 'fold, process', script: 'engine-fold.ts', args: ['200000', 'process'], compiled: true },
  { name: 'fold, disk', script: 'engine-fold.ts', args: ['200000', 'disk'], compiled: true },
  { name: 'log, process', script: 'embedded-log.ts', args: ['process', '300000'] },
  { name: 'log, disk', script: 'embedded-log.ts', args: ['disk', '300000'] },
  { name: 'handler', script: 'serving/handler.ts' },
  { name: 'http', script: 'serving/http.ts' },
  { name: 'rolling update', script: 'serving/rolling-update.ts' },
  { name: 'many models', script: 'serving/many-models.ts' },
  { name: 'streamed predictions, process', script: 'streamed-predictions.ts', args: ['30000', 'process'] },
  { name: 'streamed predictions, disk', script: 'streamed-predictions.ts', args: ['30000', 'disk'] },
  { name: 'step overhead', script: 'flows/step-overhead.ts', compiled: true },
  { name: 'foreach of 1,000', script: 'flows/foreach.ts', args: ['1000'], compiled: true },
  { name: 'foreach of 50,000', script: 'flows/foreach.ts', args: ['50000'], compiled: true },
  { name: 'resume', script: 'flows/resume.ts', compiled: true },
  { name: 'cold run', script: 'flows/cold-run.ts', compiled: true },
  { name: 'list of 100,000 runs', script: 'flows/list-runs.ts', compiled: true },
  { name: 'projection', script: 'projection.ts', args: ['200000'] },
  { name: 'detectors', script: 'monitoring/detectors.ts' },
  { name: 'start-up', script: 'start-up.ts' },
  { name: 'fold, cluster', script: 'cluster/fold.ts' },
  { name: 'flows, beside Metaflow', script: 'peers/metaflow.ts' },
  { name: 'tracking, beside MLflow', script: 'peers/mlflow.ts' },
  { name: 'stateful count, cluster, beside Kafka Streams', script: 'peers/kafka-streams.ts' },
];

/** As the program runs: docs/decisions/0022. */
const youngGeneration = '--max-semi-space-size=64';

interface Row extends Figure {
  readonly target: string | null;
  /** null: there is no target. */
  readonly met: boolean | null;
}

const wanted = process.argv.slice(2);
const rows: Row[] = [];
const broken: string[] = [];
const sources = await compileSources();
for (const { name, script, args = [], compiled } of cases) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  console.log(`\n${name}`);
  try {
    for (const figure of await measure(script, args, compiled)) rows.push({ ...figure, ...verdict(figure) });
  } catch (error) {
    broken.push(name);
    console.log(`  failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
sources.remove();
console.log('');
for (const { name, value, unit, target, met, ratio } of rows) {
  const shown = (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')).padStart(10);
  const compared = ratio === undefined ? '' : `  ${ratio.toFixed(2)} of its baseline`;
  const judged = met === null ? '' : `  ${met ? 'met' : 'MISSED'} (${target})`;
  console.log(`${name.padEnd(52)} ${shown} ${unit}${compared}${judged}`);
}
const results = join(import.meta.dirname, 'results');
await mkdir(results, { recursive: true });
await writeFile(join(results, 'latest.json'), `${JSON.stringify(rows, null, 2)}\n`);
// A target missed on a busy machine is a figure; a script that fails is a defect.
if (broken.length > 0) process.exitCode = 1;

/** Runs a script, passes its lines on and takes the last, JSON, for its figures. */
function measure(script: string, args: readonly string[], compiled = false): Promise<readonly Figure[]> {
  return new Promise((resolve, reject) => {
    const program = compiled
      ? [join(sources.folder, 'bench', script.replace(/\.ts$/, '.js'))]
      : ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, script)];
    const child = spawn(process.execPath, [youngGeneration, ...program, ...args, '--json'], {
      // what they start as children or threads is compiled in any case
      env: { ...process.env, MILLRACE_COMPILED: sources.folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => void (text += chunk.toString('utf8')));
    child.once('error', reject);
    child.once('close', (code) => {
      const lines = text.trimEnd().split('\n');
      const last = lines.pop() ?? '';
      for (const line of lines) console.log(`  ${line}`);
      if (code === 0 && last.startsWith('[')) resolve(JSON.parse(last) as Figure[]);
      else reject(new Error(`${script} ended with ${code}: ${last}`));
    });
  });
}

function verdict({ name, value, ratio }: Figure): Pick<Row, 'target' | 'met'> {
  const target = targets.find(({ figure }) => figure === name);
  if (target === undefined) return { target: null, met: null };
  const judged = target.ofRatio === true ? (ratio ?? Number.NaN) : value;
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = target;
  const wantedText = target.least === undefined ? `at most ${target.most}` : `at least ${target.least}`;
  return { target: wantedText, met: judged >= least && judged <= most };
}
