/**
 * The same work by Metaflow and by Millrace in one run, one after the other on the same cores, of tasks that do nothing: the shortest
 * flow, ten linear steps, a foreach, a resume and the reading of the foreach's artifacts. Metaflow is installed into a virtual
 * environment outside of the project, unless it is there (needs Python 3 with venv, and a package index the first time). Each runs as
 * its users run it: Metaflow by its command line, Millrace by its client on a platform that runs, the shortest flow by its command line,
 * too. Run: `npx tsx bench/peers/metaflow.ts [tasks] [--json]`.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Figure, positionals, sayFigures } from '../figures.ts';
import { coldRun } from '../flows/cold-command.ts';
import { benchFlow, openFlowBench } from '../flows/flow-bench.ts';

const run = promisify(execFile);
const version = '2.19.39';
const tasks = Number(positionals[0] ?? 100);
/** Of the flow that is resumed. */
const cloned = 49;
const linearSteps = 10;

interface Measured {
  /** Milliseconds of the shortest flow, whole command: median of three, the first of a machine not among them. */
  readonly cold: number;
  /** Milliseconds a step, the whole command by their number. */
  readonly step: number;
  /** Tasks a second, the whole run. */
  readonly foreach: number;
  readonly resume: number;
  /** Milliseconds for all artifacts of the foreach. */
  readonly read: number;
}

const theirs = await measureMetaflow(await install());
const ours = await measureMillrace();
const rows: readonly [what: string, unit: string, of: keyof Measured, better: 'less' | 'more'][] = [
  ['shortest flow, whole command, beside Metaflow', 'ms', 'cold', 'less'],
  ['linear step, beside Metaflow', 'ms', 'step', 'less'],
  [`foreach of ${tasks}, beside Metaflow`, 'tasks/s', 'foreach', 'more'],
  [`resume of ${cloned + 2} cloned tasks, beside Metaflow`, 'ms', 'resume', 'less'],
  [`read ${tasks} artifacts, beside Metaflow`, 'ms', 'read', 'less'],
];
const figures: Figure[] = rows.map(([name, unit, of, better]) => {
  const [value, baseline] = [ours[of], theirs[of]];
  const ratio = better === 'less' ? baseline / value : value / baseline;
  console.log(
    `${name.padEnd(44)} ${value.toFixed(1).padStart(9)} ${unit}, Metaflow ${baseline.toFixed(1)} ${unit}: ${ratio.toFixed(1)} times better`,
  );
  return { name, unit, value, baseline, ratio };
});
sayFigures(figures);

/** Answers the Python that has Metaflow. */
async function install(): Promise<string> {
  const cache = process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace');
  const environment = join(cache, 'peers', `metaflow-${version}`);
  const python = join(environment, 'bin', 'python');
  if (existsSync(python)) return python;
  console.log(`installing Metaflow ${version} into ${environment}`);
  await run('python3', ['-m', 'venv', environment]);
  try {
    await run(python, ['-m', 'pip', 'install', '--quiet', `metaflow==${version}`], { timeout: 600_000 });
  } catch (error) {
    await rm(environment, { recursive: true, force: true });
    throw error;
  }
  return python;
}

async function medianOfThree(measure: () => Promise<number>): Promise<number> {
  const took = [await measure(), await measure(), await measure()].sort((a, b) => a - b);
  return took[1] ?? Number.NaN;
}

async function measureMetaflow(python: string): Promise<Measured> {
  const home = await mkdtemp(join(tmpdir(), 'millrace-bench-metaflow-'));
  const marker = join(home, 'marker');
  const call = async (file: string, words: readonly string[], more: Record<string, string> = {}) => {
    const env = { ...process.env, METAFLOW_USER: 'bench', METAFLOW_HOME: home, USERNAME: 'bench', ...more };
    const program = [join(import.meta.dirname, 'metaflow', `${file}.py`), ...words];
    const began = performance.now();
    const { stdout } = await run(python, program, { cwd: home, env, maxBuffer: 2 ** 26, timeout: 3_600_000 });
    return { stdout, ms: performance.now() - began };
  };
  try {
    const linear = await call('linear', ['run']);
    const cold = await medianOfThree(async () => (await call('short', ['run'])).ms);
    const failed = await call('wide', ['run', '--items', String(cloned)], { MARKER: marker }).catch(() => undefined);
    if (failed !== undefined) throw new Error('the run of Metaflow that was to fail has not');
    await writeFile(marker, '');
    const resumed = await call('wide', ['resume'], { MARKER: marker });
    const wide = await call('wide', ['run', '--items', String(tasks), '--max-num-splits', String(tasks)]);
    const said = JSON.parse((await call('read', [])).stdout) as { count: number; sum: number; seconds: number };
    if (said.count !== tasks || said.sum !== (tasks * (tasks - 1)) / 2)
      throw new Error(`Metaflow read ${said.count} artifacts with the sum ${said.sum}`);
    return {
      cold,
      step: linear.ms / linearSteps,
      foreach: (1_000 * tasks) / wide.ms,
      resume: resumed.ms,
      read: 1_000 * said.seconds,
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function measureMillrace(): Promise<Measured> {
  await coldRun();
  const cold = await medianOfThree(coldRun);
  const bench = await openFlowBench();
  const { client } = bench;
  try {
    const [linear, wide, interrupted] = await Promise.all(['ten-steps', 'wide', 'interrupted'].map(benchFlow));
    if (linear === undefined || wide === undefined || interrupted === undefined) throw new Error('unreachable');
    const ended = async (runId: string, outcome = 'run-completed') => {
      const end = await bench.ended(runId);
      if (end.outcome !== outcome) throw new Error(`run ${runId} ended with ${end.outcome}`);
      return end;
    };
    await ended((await client.flows.run(linear, {})).runId);
    const { ms: linearMs } = await ended((await client.flows.run(linear, {})).runId);
    const marker = join(bench.directory, 'marker');
    const failed = await ended((await client.flows.run(interrupted, { marker })).runId, 'run-failed');
    await writeFile(marker, '');
    const began = performance.now();
    const resumed = await client.runs.resume(failed.runId);
    if (resumed.queued === true) throw new Error(resumed.reason);
    await ended(resumed.runId);
    const resumeMs = performance.now() - began;
    const { runId, ms } = await ended((await client.flows.run(wide, { items: tasks })).runId);
    const reading = performance.now();
    const artifacts = await client.artifacts.list({ runId, name: 'value' });
    const values = await Promise.all(artifacts.map((artifact) => artifact.value()));
    const readMs = performance.now() - reading;
    if (values.length !== tasks) throw new Error(`${values.length} artifacts were read, not ${tasks}`);
    return { cold, step: linearMs / linearSteps, foreach: (1_000 * tasks) / ms, resume: resumeMs, read: readMs };
  } finally {
    await bench.close();
  }
}
