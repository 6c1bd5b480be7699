/**
 * The service lane, `npm run test:services`: starts real services with the scripts beside this file, runs every `*.services.test.ts`
 * with their addresses in the environment, and stops them. Programs are cached in MILLRACE_TOOLS (default ~/.cache/millrace).
 *
 *   tsx test/services/lane.ts [--services=kafka,redis] [vitest arguments]
 *
 * A service that does not start is named with the reason. With CI=true that is the end; otherwise the tests that need it are skipped.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { laneServices, type LaneService } from './lane-services.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
/** Folders of brokers that tests start for themselves, under MILLRACE_TEST_DATA: stopped here when their test could not. */
const privatePrefix = 'private-broker-';

interface Running {
  readonly service: LaneService;
  readonly environment: Readonly<Record<string, string>>;
}

let vitest: ChildProcess | undefined;
let stopping: Promise<void> | undefined;

async function main(): Promise<number> {
  const [chosen, vitestArguments] = parseArguments(process.argv.slice(2));
  const data = await mkdtemp(join(tmpdir(), 'millrace-lane-'));
  const basePort = await freePorts();
  const all: Running[] = laneServices(basePort)
    .filter(({ name }) => chosen === undefined || chosen.includes(name))
    .map((service) => ({ service, environment: { ...service.environment, MILLRACE_DATA: data } }));
  const stop = (): Promise<void> => (stopping ??= stopAll(all, data));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      killVitest();
      void stop().then(() => process.exit(130));
    });
  }
  try {
    const addresses: Record<string, string> = {};
    const missing: string[] = [];
    await Promise.all(
      all.map(async ({ service, environment }) => {
        const outcome = await startService(service, environment);
        if (typeof outcome === 'string') missing.push(`${service.name}: ${outcome}`);
        else Object.assign(addresses, outcome);
      }),
    );
    if (stopping !== undefined) return 130;
    for (const [name, value] of Object.entries(addresses).sort()) console.log(`${name}=${value}`);
    if (missing.length > 0) {
      console.error(`\nThese services are missing:\n${missing.map((line) => `- ${line}`).join('\n')}\n`);
      if (process.env['CI'] === 'true') return 1;
      console.error('Tests that need them are skipped. (With CI=true this would have failed.)\n');
    }
    return await runVitest(vitestArguments, { ...addresses, MILLRACE_TEST_DATA: data });
  } finally {
    await stop();
  }
}

function parseArguments(all: readonly string[]): [readonly string[] | undefined, readonly string[]] {
  const option = all.find((argument) => argument.startsWith('--services='));
  return [option?.slice('--services='.length).split(','), all.filter((argument) => argument !== option)];
}

/** The service's addresses as environment variables of the tests, or why there is none. */
async function startService(
  service: LaneService,
  environment: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>> | string> {
  const { code, output, errors } = await runScript(service.up, environment);
  if (code !== 0) return errors.trim().split('\n').slice(-8).join('\n    ') || `${service.up} ended with ${code}`;
  const facts = new Map<string, string>();
  for (const line of output.split('\n')) {
    const [name = '', ...value] = line.split('=');
    const known = facts.get(name);
    facts.set(name, known === undefined ? value.join('=') : `${known},${value.join('=')}`);
  }
  return service.exports((name) => facts.get(name) ?? '');
}

async function stopAll(all: readonly Running[], data: string): Promise<void> {
  const stopOne = async ({ service, environment }: Running): Promise<void> => {
    if (service.down !== undefined) await runScript(service.down, environment);
  };
  await Promise.all(all.map(stopOne));
  for (const name of await readdir(data)) {
    if (name.startsWith(privatePrefix)) await runScript('kafka-down.sh', { KAFKA_DIR: join(data, name) });
  }
  await rm(data, { recursive: true, force: true });
}

interface ScriptResult {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

function runScript(script: string, environment: Readonly<Record<string, string>>): Promise<ScriptResult> {
  return new Promise((resolve) => {
    // A group of its own: Ctrl-C reaches the lane only, which then stops the services in order.
    const child = spawn(join(here, script), { env: { ...process.env, ...environment }, detached: true });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.once('error', (error) => resolve({ code: -1, output, errors: error.message }));
    child.once('close', (code) => resolve({ code: code ?? -1, output, errors }));
  });
}

function runVitest(more: readonly string[], addresses: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    const command = [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      'vitest.services.config.ts',
      ...more,
    ];
    const env = { ...process.env, ...addresses };
    vitest = spawn(process.execPath, command, { cwd: root, stdio: 'inherit', env, detached: true });
    vitest.once('close', (code) => resolve(code ?? 1));
  });
}

/** With its workers, which may be in the middle of anything: they are a process group. */
function killVitest(): void {
  if (vitest?.pid === undefined || vitest.exitCode !== null) return;
  try {
    process.kill(-vitest.pid, 'SIGKILL');
  } catch {
    // It ended by itself in this moment.
  }
}

/** First of a hundred ports, of which those that services listen on are free now. */
async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 20_000 + 100 * Math.floor(Math.random() * 80);
    const probes = await Promise.all(
      [0, 10, 20, 30, 40, 50, 60, 63, 64, 65, 66, 70, 80].map((offset) => isFree(base + offset)),
    );
    if (probes.every((free) => free)) return base;
  }
  throw new Error('No free range of ports between 20000 and 28000 was found.');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

process.exitCode = await main();
