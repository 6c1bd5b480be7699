/** Starts and stops the services of the lane by the scripts beside this file; for the lane itself and for benchmarks. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { LaneService } from './lane-services.ts';

/** The service's addresses as environment variables of the tests, or why there is none. */
export async function startService(
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

interface ScriptResult {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

export function runScript(script: string, environment: Readonly<Record<string, string>>): Promise<ScriptResult> {
  return new Promise((resolve) => {
    // A group of its own: Ctrl-C reaches the lane only, which then stops the services in order.
    const child = spawn(join(import.meta.dirname, script), { env: { ...process.env, ...environment }, detached: true });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.once('error', (error) => resolve({ code: -1, output, errors: error.message }));
    child.once('close', (code) => resolve({ code: code ?? -1, output, errors }));
  });
}

/** First of a hundred ports, of which those that services listen on are free now. */
export async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 20_000 + 100 * Math.floor(Math.random() * 80);
    const probes = await Promise.all(
      [0, 10, 20, 30, 40, 41, 51, 61, 63, 64, 65, 66, 70, 80, 81, 90, 91, 92, 93].map((offset) =>
        isFree(base + offset),
      ),
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
