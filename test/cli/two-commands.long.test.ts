/** Two terminals on one directory, where nobody runs `millrace dev`. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../runtime/testing/index.ts';
import { compiledFile } from '../compiled.ts';

let directory: string;
const started: Command[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-two-'));
});
afterEach(async () => {
  for (const command of started.splice(0)) command.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

interface Command {
  readonly said: () => string;
  readonly code: Promise<number | null>;
  readonly kill: (signal: 'SIGKILL' | 'SIGINT') => void;
}

function run(until: string): Command {
  const cli = compiledFile(new URL('../../cli/main.ts', import.meta.url));
  const flow = fileURLToPath(new URL('flows/until.ts', import.meta.url));
  const child = spawn(process.execPath, [cli, 'run', flow, '--file', join(directory, until)], {
    cwd: directory,
    env: { ...process.env, NO_COLOR: '1' },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const code = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const command: Command = { said: () => said, code, kill: (signal) => void child.kill(signal) };
  started.push(command);
  return command;
}

const says = (command: Command, text: string): Promise<true> =>
  eventually(`a command says '${text}'`, () => command.said().includes(text) || undefined, 60_000);

it('the command that opened the directory stays until the run of the other one has ended, too', async () => {
  const [first, second] = [run('one'), run('two')];
  await Promise.all([says(first, 'wait started'), says(second, 'wait started')]);
  await writeFile(join(directory, 'one'), '');
  await writeFile(join(directory, 'two'), '');
  expect(await first.code, first.said()).toBe(0);
  expect(await second.code, second.said()).toBe(0);
  expect(first.said()).toContain('completed until');
  expect(second.said()).toContain('completed until');
}, 120_000);

it('a command whose platform is killed says so at once, and Ctrl-C leaves it', async () => {
  const first = run('one');
  await says(first, 'wait started');
  const second = run('two');
  await says(second, 'wait started');
  first.kill('SIGKILL');
  await says(second, 'the platform does not answer');
  second.kill('SIGINT');
  expect(await second.code, second.said()).toBe(130);
}, 120_000);
