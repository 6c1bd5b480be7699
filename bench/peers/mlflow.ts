/**
 * The same requests, made by one HTTP load generator, to MLflow's server and to Millrace, one after the other on the same cores: the calls that
 * MLflow's clients make while they log and search, as they travel. MLflow (3.x, SQLite, 4 workers) is installed into a virtual environment
 * outside of the project, unless it is there. Correctness with the real clients is shown by the service lane; this is about speed alone.
 * Run: `npx tsx bench/peers/mlflow.ts [runs to search] [seconds of each load] [--json]`.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMlflow } from '../../test/services/tracking/mlflow-server.ts';
import { type Figure, positionals, sayFigures } from '../figures.ts';
import { residentMebibytes, treeOf } from '../process-tree.ts';
import { HttpLoad } from './http-load.ts';

const runsToSearch = Number(positionals[0] ?? 10_000);
const seconds = Number(positionals[1] ?? 5);
const clients = 8;

interface Server {
  readonly url: string;
  readonly pid: number;
  readonly readyMs: number;
  close(): Promise<void>;
}

interface Measured {
  /** Milliseconds until it answers. */
  readonly ready: number;
  /** Of its process tree, idle, MiB. */
  readonly memory: number;
  /** Requests a second. */
  readonly metric: number;
  readonly metricOne: number;
  readonly batch: number;
  readonly create: number;
  /** Milliseconds, median. */
  readonly search: number;
  readonly page: number;
}

// Not by itself when it is compiled: then the compiler is not there.
const sources =
  process.env['MILLRACE_COMPILED'] === undefined
    ? await (await import('../../test/compiled.ts')).compileSources()
    : undefined;
const compiled = process.env['MILLRACE_COMPILED'] ?? sources?.folder ?? '';
const directory = await mkdtemp(join(tmpdir(), 'millrace-peers-'));
try {
  const theirs = await measure('MLflow', () => startTheirs(join(directory, 'mlflow')));
  const ours = await measure('Millrace', () => startOurs(join(directory, 'millrace')));
  const rows: readonly [what: string, unit: string, of: keyof Measured, better: 'less' | 'more'][] = [
    ['log-metric, 8 clients, beside MLflow', 'requests/s', 'metric', 'more'],
    ['log-metric, 1 client, beside MLflow', 'requests/s', 'metricOne', 'more'],
    ['log-batch of 1,000 metrics, beside MLflow', 'requests/s', 'batch', 'more'],
    ['create run, 8 clients, beside MLflow', 'requests/s', 'create', 'more'],
    [`search of ${runsToSearch} runs, filter and order, beside MLflow`, 'ms', 'search', 'less'],
    ['page of 1,000 full runs, beside MLflow', 'ms', 'page', 'less'],
    ['tracking server ready, beside MLflow', 'ms', 'ready', 'less'],
    ['tracking server idle, beside MLflow', 'MiB', 'memory', 'less'],
  ];
  const figures: Figure[] = rows.map(([name, unit, of, better]) => {
    const [value, baseline] = [ours[of], theirs[of]];
    const ratio = better === 'less' ? baseline / value : value / baseline;
    console.log(
      `${name.padEnd(56)} ${value.toFixed(1).padStart(9)} ${unit}, MLflow ${baseline.toFixed(1)} ${unit}: ${ratio.toFixed(1)} times better`,
    );
    return { name, unit, value, baseline, ratio };
  });
  sayFigures(figures);
} finally {
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  sources?.remove();
}

async function measure(name: string, start: () => Promise<Server>): Promise<Measured> {
  const server = await start();
  const load = new HttpLoad(server.url);
  try {
    const memory = residentMebibytes(treeOf(server.pid));
    const experiment_id = (await load.post('experiments/create', { name: 'speed' }))['experiment_id'] as string;
    const runIds: string[] = [];
    for (let each = 0; each < clients; each++) runIds.push(await newRun(load, experiment_id, each));
    let count = 0;
    const metric = async (client: number): Promise<void> => {
      count += 1;
      const body = {
        run_id: runIds[client],
        run_uuid: runIds[client],
        key: 'loss',
        value: 1 / count,
        timestamp: count,
        step: count,
      };
      await load.post('runs/log-metric', body);
    };
    const batch = async (client: number): Promise<void> => {
      const from = (count += 1_000);
      const metrics = Array.from({ length: 1_000 }, (_, at) => ({
        key: `m${at % 10}`,
        value: at,
        timestamp: from + at,
        step: from + at,
      }));
      await load.post('runs/log-batch', { run_id: runIds[client], metrics, params: [], tags: [] });
    };
    const other = (await load.post('experiments/create', { name: 'made' }))['experiment_id'] as string;
    const metricOne = await load.rate(1, seconds, metric);
    const measured = {
      ready: server.readyMs,
      memory,
      metricOne,
      metric: await load.rate(clients, seconds, metric),
      batch: await load.rate(clients, seconds, batch),
      create: await load.rate(clients, seconds, async () => void (await newRun(load, other, (count += 1)))),
    };
    console.log(`${name}: ${runsToSearch} runs to search`);
    const searched = (await load.post('experiments/create', { name: 'searched' }))['experiment_id'] as string;
    await load.each(clients, runsToSearch, async (at) => {
      const run_id = await newRun(load, searched, at);
      const metrics = ['rmse', 'mae', 'r2'].map((key, index) => ({
        key,
        value: ((at * (7 + index)) % 1_000) / 1_000,
        timestamp: at,
        step: 0,
      }));
      const params = ['alpha', 'depth'].map((key) => ({ key, value: String(at % 10) }));
      await load.post('runs/log-batch', { run_id, metrics, params, tags: [] });
    });
    const search = await load.median(15, async () => {
      const order_by = ['metrics.rmse ASC'];
      const filter = "metrics.rmse < 0.5 and params.alpha = '3'";
      await load.post('runs/search', { experiment_ids: [searched], filter, order_by, max_results: 100 });
    });
    const page = await load.median(9, async () => {
      await load.post('runs/search', { experiment_ids: [searched], max_results: 1_000 });
    });
    return { ...measured, search, page };
  } finally {
    load.close();
    await server.close();
  }
}

async function newRun(load: HttpLoad, experiment_id: string, at: number): Promise<string> {
  const tags = [
    { key: 'mlflow.user', value: 'ada' },
    { key: 'mlflow.source.type', value: 'LOCAL' },
  ];
  const body = { experiment_id, user_id: 'ada', run_name: `run ${at}`, start_time: 1_700_000_000_000 + at, tags };
  const answer = (await load.post('runs/create', body)) as { run: { info: { run_id: string } } };
  return answer.run.info.run_id;
}

async function startTheirs(folder: string): Promise<Server> {
  const began = performance.now();
  const server = await startMlflow(folder, { workers: 4 });
  return { ...server, readyMs: performance.now() - began };
}

/** The whole platform in one process, as `millrace dev` of the published package runs it: compiled and bundled. */
async function startOurs(folder: string): Promise<Server> {
  const entry = ['--max-semi-space-size=64', join(compiled, 'cli', 'main.js')];
  const began = performance.now();
  const command = [...entry, 'dev', '--no-sample', '--port', '0', '--directory', folder];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    const hear = (chunk: Buffer): void => {
      text += chunk.toString('utf8').replace(/\u001b\[\d+m/g, '');
      const address = /http:\/\/[\d.]+:\d+/.exec(text)?.[0];
      if (address !== undefined && text.includes(' is up after ')) resolve(address);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`millrace dev ended with ${code}: ${text}`)));
  });
  const readyMs = performance.now() - began;
  return {
    url,
    pid: child.pid ?? 0,
    readyMs,
    close: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
