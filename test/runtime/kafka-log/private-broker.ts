import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

  static async start(port: number, nodes = 1): Promise<PrivateBroker> {
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

  /** Sends a signal to node 1, 2 or 3. */
  async signal(node: number, signal: NodeJS.Signals): Promise<void> {
    const [pid = ''] = (await readFile(join(this.#data, `node-${node}.pid`), 'utf8')).split('\n');
    process.kill(Number(pid), signal);
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
