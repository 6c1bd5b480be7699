/** Peers that are written in Python, each in a virtual environment of its own outside of the project. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder of the environment, which is made unless it is there (needs Python 3 with venv, and a package index). */
export async function pythonEnvironment(name: string, packages: readonly string[]): Promise<string> {
  const cache = process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace');
  const environment = join(cache, 'peers', name);
  if (existsSync(join(environment, '.complete'))) return environment;
  console.log(`installing ${packages.join(', ')} into ${environment}`);
  await rm(environment, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', environment]);
  const python = join(environment, 'bin', 'python');
  await run(python, ['-m', 'pip', 'install', '--quiet', ...packages], { timeout: 1_200_000 });
  await run(python, ['-c', `open(${JSON.stringify(join(environment, '.complete'))}, 'w').close()`]);
  return environment;
}
