/**
 * Every figure, each case in a process of its own, one after the other: prints a table and writes `bench/results/latest.json`, which has the
 * figures of this run so far after every case. Everything runs as JavaScript, compiled once, since that is what users run. A case that
 * fails, or takes longer than it may, is said, and the others go on.
 * Run: `npm run bench`, or `npx tsx bench/run.ts <part of a case's name> …` for some of them; `--small` tries each case at its least size.
 */
import { spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compileSources } from '../test/compiled.ts';
import { type Case, cases } from './cases.ts';
import { type Figure, positionals } from './figures.ts';
import { targets } from './targets.ts';

/** As the program runs: docs/decisions/0022. */
const youngGeneration = '--max-semi-space-size=64';
const small = process.argv.includes('--small');

interface Row extends Figure {
  readonly target: string | null;
  /** null: there is no target, or the case was small. */
  readonly met: boolean | null;
}

const wanted = cases.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
if (wanted.length === 0) {
  console.error(
    `no case is called ${positionals.join(' or ')}; there are: ${cases.map(({ name }) => name).join('; ')}`,
  );
  process.exit(2);
}
const rows: Row[] = [];
const broken: string[] = [];
console.log(`${wanted.length} of ${cases.length} cases; compiling`);
const sources = await compileSources();
process.once('exit', () => sources.remove());
// What programs read that lies beside their sources: scripts of peers, models, scripts of services.
const root = join(import.meta.dirname, '..');
for (const room of ['bench', 'test/models', 'test/services']) {
  const filter = (path: string): boolean => !path.endsWith('.ts') && path !== join(root, 'bench', 'results');
  cpSync(join(root, room), join(sources.folder, room), { recursive: true, filter });
}
for (const [at, one] of wanted.entries()) {
  const began = performance.now();
  console.log(`\n[${at + 1}/${wanted.length}] ${one.name}`);
  try {
    for (const figure of await measure(one)) rows.push({ ...figure, ...verdict(figure) });
  } catch (error) {
    broken.push(one.name);
    console.log(`  failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  await writeRows();
  const load = loadavg()[0] ?? Number.NaN;
  console.log(`  ${((performance.now() - began) / 1_000).toFixed(0)} s, load average ${load.toFixed(1)}`);
}
console.log('');
for (const { name, value, unit, target, met, ratio } of rows) {
  const shown = (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')).padStart(10);
  const compared = ratio === undefined ? '' : `  ${ratio.toFixed(2)} of its baseline`;
  const judged = met === null ? '' : `  ${met ? 'met' : 'MISSED'} (${target})`;
  console.log(`${name.padEnd(56)} ${shown} ${unit}${compared}${judged}`);
}
if (broken.length > 0) console.log(`\nfailed: ${broken.join('; ')}`);
// A target missed on a busy machine is a figure; a script that fails is a defect.
process.exitCode = broken.length > 0 ? 1 : 0;

/** Whole, or not at all: a run that is broken off leaves what it had. */
async function writeRows(): Promise<void> {
  const results = join(import.meta.dirname, 'results');
  await mkdir(results, { recursive: true });
  await writeFile(join(results, 'latest.json.part'), `${JSON.stringify(rows, null, 2)}\n`);
  await rename(join(results, 'latest.json.part'), join(results, 'latest.json'));
}

/** Runs a script, passes its lines on as they come and takes the last, JSON, for its figures. */
async function measure({ script, args = [], small: least = [], flags = [], minutes = 30 }: Case) {
  const program = join(sources.folder, 'bench', script.replace(/\.ts$/, '.js'));
  const child = spawn(process.execPath, [youngGeneration, ...flags, program, ...(small ? least : args), '--json'], {
    // what they start as children or threads is compiled, too
    env: { ...process.env, MILLRACE_COMPILED: sources.folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? String(code)));
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    // It may have children, whom it ends then.
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
  }, minutes * 60_000);
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    last = line;
    if (!line.startsWith('[{')) console.log(`  ${line}`);
  }
  const how = await ended;
  clearTimeout(timer);
  if (late) throw new Error(`${script} took more than ${minutes} minutes`);
  if (how !== '0' || !last.startsWith('[{')) throw new Error(`${script} ended with ${how}, without its figures`);
  return JSON.parse(last) as readonly Figure[];
}

function verdict({ name, value, ratio }: Figure): Pick<Row, 'target' | 'met'> {
  const target = targets.find(({ figure }) => figure === name);
  if (target === undefined) return { target: null, met: null };
  const judged = target.ofRatio === true ? (ratio ?? Number.NaN) : value;
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = target;
  const limit = target.least === undefined ? `at most ${target.most}` : `at least ${target.least}`;
  const text = target.ofRatio === true ? `${limit} of its baseline` : limit;
  return { target: text, met: small ? null : judged >= least && judged <= most };
}
