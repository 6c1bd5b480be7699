/**
 * The same requests for iris to MLServer and to Millrace in one run, in turns on the same cores: HTTP with 64 connections and with one, gRPC with 64
 * calls under way, memory, and CPU time of the server for each request; beside both a bare fastify + onnxruntime handler. MLServer (1.7.1, in its own
 * process and with one worker) is installed into a virtual environment outside of the project, unless it is there. Millrace publishes every prediction
 * to its embedded log meanwhile, MLServer publishes nothing. Run: `npx tsx bench/peers/mlserver.ts [seconds of each load] [rounds] [--json]`.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import { type Figure, positionals, sayFigures } from '../figures.ts';
import { projectFile } from '../project-file.ts';
import { cpuMilliseconds, residentMebibytes, treeOf } from '../process-tree.ts';
import { type LoadFigures, loadGrpc, loadHttp } from '../serving/infer-load.ts';
import { startServer } from '../serving/server-process.ts';
import { pythonEnvironment } from './python-environment.ts';

const seconds = Number(positionals[0] ?? 5);
const rounds = Number(positionals[1] ?? 3);
const packages = ['mlserver==1.7.1', 'mlserver-sklearn==1.7.1', 'uvloop<0.22', 'scikit-learn==1.6.1'];

interface Server {
  readonly name: string;
  readonly url: string;
  /** host:port; undefined: it speaks none. */
  readonly grpc: string | undefined;
  readonly pid: number;
  close(): Promise<void>;
}

interface Measured extends LoadFigures {
  readonly cpuMs: number;
}

const loads = {
  'HTTP, 64 connections': (server: Server, length: number) => overHttp(server, 64, length),
  'HTTP, 1 connection': (server: Server, length: number) => overHttp(server, 1, length),
  'gRPC, 64 calls': (server: Server, length: number) =>
    loadGrpc({ address: server.grpc ?? '', calls: 64, seconds: length }),
} as const;
type Load = keyof typeof loads;

const environment = await pythonEnvironment('mlserver-1.7.1', packages);
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-mlserver-'));
const model = join(directory, 'iris.joblib');
await promisify(execFile)(join(environment, 'bin', 'python'), [projectFile('bench/peers/mlserver/iris.py'), model]);

const starts = {
  'MLServer in process': () => startMlserver(0),
  'MLServer, 1 worker': () => startMlserver(1),
  'bare handler': () => startOurs('bare'),
  Millrace: () => startOurs('gateway'),
} as const;
type Name = keyof typeof starts;
const names = Object.keys(starts) as Name[];

const measured = new Map<string, Measured[]>();
const memory = new Map<Name, number[]>();
try {
  // Each server alone, one after the other, all of them in every round: a busy moment of the machine hits all alike.
  for (let round = 0; round < rounds; round++) for (const name of names) await measureServer(name);
} finally {
  await rm(directory, { recursive: true, force: true });
}

const figures: Figure[] = [];
for (const load of Object.keys(loads) as Load[]) {
  console.log(`\n${load}, median of ${rounds}`);
  for (const name of names) {
    const runs = measured.get(`${load} ${name}`);
    if (runs === undefined) continue;
    console.log(
      `  ${name.padEnd(20)} ${of(runs, 'perSecond').toFixed(0).padStart(6)}/s  p50 ${of(runs, 'p50Ms').toFixed(1)} ms  p99 ${of(runs, 'p99Ms').toFixed(1)} ms  ${of(runs, 'cpuMs').toFixed(2)} ms CPU a request`,
    );
  }
  const ours = measured.get(`${load} Millrace`) ?? [];
  const theirs = bestOf(load);
  const value = of(ours, 'perSecond');
  figures.push({
    name: `${load}, beside MLServer`,
    value,
    unit: 'predictions/s',
    baseline: theirs,
    ratio: value / theirs,
  });
  figures.push(
    { name: `${load}, p50`, value: of(ours, 'p50Ms'), unit: 'ms' },
    { name: `${load}, p99`, value: of(ours, 'p99Ms'), unit: 'ms' },
  );
}
console.log('\nresident memory with iris loaded, after the loads');
for (const name of names) console.log(`  ${name.padEnd(20)} ${median(memory.get(name) ?? []).toFixed(0)} MiB`);
const [ourMemory, theirMemory] = [
  median(memory.get('Millrace') ?? []),
  median(memory.get('MLServer in process') ?? []),
];
figures.push({
  name: 'memory with iris, beside MLServer',
  value: ourMemory,
  unit: 'MiB',
  baseline: theirMemory,
  ratio: theirMemory / ourMemory,
});
sayFigures(figures);

/** The faster of MLServer's two ways. */
function bestOf(load: Load): number {
  const rates = names
    .filter((name) => name.startsWith('MLServer'))
    .map((name) => of(measured.get(`${load} ${name}`) ?? [], 'perSecond'));
  return Math.max(...rates);
}

async function measureServer(name: Name): Promise<void> {
  const server = await starts[name]();
  try {
    for (const load of Object.keys(loads) as Load[]) {
      if (load.startsWith('gRPC') && server.grpc === undefined) continue;
      await loads[load](server, Math.min(2, seconds));
      const before = cpuMilliseconds(treeOf(server.pid));
      const result = await loads[load](server, seconds);
      const cpuMs = (cpuMilliseconds(treeOf(server.pid)) - before) / result.requests;
      const key = `${load} ${name}`;
      measured.set(key, [...(measured.get(key) ?? []), { ...result, cpuMs }]);
    }
    memory.set(name, [...(memory.get(name) ?? []), residentMebibytes(treeOf(server.pid))]);
  } finally {
    await server.close();
  }
}

function overHttp({ url }: Server, connections: number, length: number): Promise<LoadFigures> {
  return loadHttp({ url: `${url}/v2/models/iris/infer`, connections, seconds: length });
}

async function startOurs(kind: 'bare' | 'gateway'): Promise<Server> {
  const { url, grpc, pid, close } = await startServer(kind);
  return { name: kind, url, grpc: grpc === '' ? undefined : grpc, pid, close };
}

async function startMlserver(workers: number): Promise<Server> {
  const folder = await mkdtemp(join(directory, 'server-'));
  const [http, grpc, metrics] = await freePorts(3);
  const settings = {
    ...{ host: '127.0.0.1', http_port: http, grpc_port: grpc, metrics_port: metrics, parallel_workers: workers },
    ...{ debug: false, kafka_enabled: false, use_structured_logging: false },
  };
  const served = {
    ...{ name: 'iris', implementation: 'mlserver_sklearn.SKLearnModel' },
    inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }],
    parameters: { uri: model, version: '1', content_type: 'np' },
  };
  await writeFile(join(folder, 'settings.json'), JSON.stringify(settings));
  await writeFile(join(folder, 'model-settings.json'), JSON.stringify(served));
  const child = spawn(join(environment, 'bin', 'mlserver'), ['start', folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said = `${said}${text.toString()}`.slice(-4_000)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${http}`;
  await eventually(
    'MLServer is ready',
    async () => {
      if (child.exitCode !== null) throw new Error(`MLServer has ended: ${said}`);
      return (await fetch(`${url}/v2/models/iris/ready`).catch(() => undefined))?.ok === true;
    },
    120_000,
  );
  return {
    ...{ name: 'MLServer', url, grpc: `127.0.0.1:${grpc}`, pid: child.pid ?? 0 },
    close: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function of(runs: readonly Measured[], figure: 'perSecond' | 'p50Ms' | 'p99Ms' | 'cpuMs'): number {
  return median(runs.map((run) => run[figure]));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
