import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../conformance/log/until.ts';

const scripts = fileURLToPath(new URL('../../services/', import.meta.url));

/** A broker (or three) of a test's own, which it may kill and freeze. */
export class PrivateBroker {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #data: string;
  readonly #nodes: number;
  addresses: readonly string[] = [];

  private constructor(data: string, port: number, nodes: number) {
    this.#data = data;
    this.#nodes = nodes;
    this.#environment = { KAFKA_PORT: String(port), KAFKA_DIR: data, KAFKA_NODES: String(nodes) };
  }

  static async start(nodes = 1): Promise<PrivateBroker> {
    const port = await freeBasePort(nodes);
    const broker = new PrivateBroker(
      await mkdtemp(join(process.env['MILLRACE_TEST_DATA'] ?? tmpdir(), 'private-broker-')),
      port,
      nodes,
    );
    await broker.up();
    return broker;
  }

  /** Starts the nodes that are not running, on the data that they had. */
  async up(): Promise<void> {
    const output = await this.#run('kafka-up.sh');
    this.addresses = (/^address=(.*)$/m.exec(output)?.[1] ?? '').split(',');
  }

  /** Sends a signal to node 1, 2 or 3. After SIGKILL the process is gone. */
  async signal(node: number, signal: NodeJS.Signals): Promise<void> {
    const [pid = ''] = (await readFile(join(this.#data, `node-${node}.pid`), 'utf8')).split('\n');
    process.kill(Number(pid), signal);
    if (signal !== 'SIGKILL') return;
    // Its first thread is gone before the others let go of the port.
    const port = Number(this.addresses[node - 1]?.split(':')[1]);
    const gone = async (): Promise<boolean> => (await isGone(pid)) && (await isFree(port));
    await until({ deadlineMs: 30_000 }, `process ${pid} was gone`, gone);
  }

  async stop(): Promise<void> {
    for (let node = 1; node <= this.#nodes; node++) await this.signal(node, 'SIGCONT').catch(() => undefined);
    await this.#run('kafka-down.sh');
    await rm(this.#data, { recursive: true, force: true });
  }

  async #run(script: string): Promise<string> {
    const child = spawn(join(scripts, script), {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${script} ended with ${code}.`);
    return output;
  }
}

/** Ended, whether or not somebody has asked for its exit code. */
async function isGone(pid: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return /\) [ZX]/.test(stat);
}

/** Below the ports that the system gives to clients. */
async function freeBasePort(nodes: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 28_100 + 20 * Math.floor(Math.random() * 200);
    const ports = Array.from({ length: nodes }, (_, node) => [base + node, base + 10 + node]).flat();
    if ((await Promise.all(ports.map(isFree))).every((free) => free)) return base;
  }
  throw new Error('No free ports between 28100 and 32100 were found.');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
