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
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { laneServices, type LaneService } from './lane-services.ts';
import { freePorts, runScript, startService } from './service-scripts.ts';

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
        const outcome = await startWithPatience(service, environment);
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

/** What failed while others were built or installed beside it gets a second try; the scripts are safe to run again. */
async function startWithPatience(
  service: LaneService,
  environment: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>> | string> {
  const outcome = await startService(service, environment);
  if (typeof outcome !== 'string' || stopping !== undefined) return outcome;
  console.error(`${service.name} did not start, trying again: ${outcome}`);
  return await startService(service, environment);
}

function parseArguments(all: readonly string[]): [readonly string[] | undefined, readonly string[]] {
  const option = all.find((argument) => argument.startsWith('--services='));
  return [option?.slice('--services='.length).split(','), all.filter((argument) => argument !== option)];
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

process.exitCode = await main();
