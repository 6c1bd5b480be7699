/** Two terminals on one directory. */
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
  readonly kill: (signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM') => void;
}

function run(until: string): Command {
  return millrace('run', fileURLToPath(new URL('flows/until.ts', import.meta.url)), '--file', join(directory, until));
}

function millrace(...words: readonly string[]): Command {
  const cli = compiledFile(new URL('../../cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, [cli, ...words], {
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

const portOf = (platform: Command): Promise<string> =>
  eventually('a platform says its port', () => /http:\/\/127\.0\.0\.1:(\d+)\//.exec(platform.said())?.[1], 60_000);

it.each(['SIGKILL', 'SIGTERM'] as const)(
  'lines that are followed say that the platform went away (%s), and go on with the next one to the end of the run',
  async (signal) => {
    const platform = millrace('dev', '--no-sample', '--port', '0');
    const port = await portOf(platform);
    const watching = run('one');
    await says(watching, 'wait started');
    const runId = /until run ([0-9a-f]{32})/.exec(watching.said())?.[1] ?? '';
    const lines = millrace('logs', runId, '--follow');
    await says(lines, 'waits for the file');
    platform.kill(signal);
    await says(lines, 'the platform does not answer');
    expect(await platform.code, platform.said()).toBe(signal === 'SIGTERM' ? 0 : null);
    const again = millrace('dev', '--no-sample', '--port', port);
    await portOf(again);
    expect(await lines.code, lines.said()).toBe(0);
  },
  120_000,
);
