/** A real MLflow server in an environment of its own, for tests and benchmarks. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Of 2.x, what it needs beside itself. */
const beside = { '3.17.2': [], '2.17.2': ['sqlalchemy<2.1', 'setuptools<81', 'pandas<3'] } as const;
type Version = keyof typeof beside;
const startMs = 240_000;

export interface MlflowProcess {
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

/** Python with mlflow, made once and kept in MILLRACE_TOOLS. */
export async function mlflowPython(version: Version = '3.17.2'): Promise<string> {
  const tools = process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace');
  const folder = join(tools, `mlflow-server-${version}`);
  const python = join(folder, 'bin', 'python');
  if (!existsSync(join(folder, 'bin', 'mlflow'))) {
    await mkdir(tools, { recursive: true });
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', `mlflow==${version}`, ...beside[version]]);
  }
  return python;
}

/** For programs that log to it. Its telemetry is a thread that changes the environment while others read it. */
export function clientEnvironment(url: string): NodeJS.ProcessEnv {
  return { ...process.env, MLFLOW_TRACKING_URI: url, MLFLOW_DISABLE_TELEMETRY: 'true', GIT_PYTHON_REFRESH: 'quiet' };
}

/** With SQLite and its own artifact store below `directory`. */
export async function startMlflow(
  directory: string,
  { workers = 1, version = '3.17.2' }: { readonly workers?: number; readonly version?: Version } = {},
): Promise<MlflowProcess> {
  const python = await mlflowPython(version);
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const command = [
    ...['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(port), '--workers', String(workers)],
    ...['--backend-store-uri', `sqlite:///${join(directory, 'mlflow.db')}`],
    ...['--artifacts-destination', join(directory, 'artifacts')],
  ];
  // Its workers for jobs have nothing to do here, and are seven processes.
  const env = { ...process.env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false', MLFLOW_DISABLE_TELEMETRY: 'true' };
  const child = spawn(python, command, { cwd: directory, env, stdio: 'ignore', detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${python} does not start`);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const close = async (): Promise<void> => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    await ended;
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await answering(url, () => child.exitCode);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, pid, close };
}

/** It takes many seconds to start, and is asked seldom: on two cores its start is what a poll would slow down. */
async function answering(url: string, exitCode: () => number | null): Promise<void> {
  for (const end = Date.now() + startMs; Date.now() < end; await delay(500)) {
    if (exitCode() !== null) throw new Error(`mlflow ended with ${exitCode()}`);
    const health = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (health?.ok === true) return;
  }
  throw new Error(`mlflow does not answer at ${url} within ${startMs} ms`);
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
