/** The workflow file of the example, run as a runner of GitHub runs it: each command in bash, with its variables and secrets. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect } from '../../sdk/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { compiledFile } from '../compiled.ts';

interface Workflow {
  readonly jobs: {
    readonly train: {
      readonly env: Readonly<Record<string, string>>;
      readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
    };
  };
}

const example = fileURLToPath(new URL('../../examples/continuous-training/', import.meta.url));
const token = 'of-the-ci';
let directory: string;
let platform: Platform;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-continuous-'));
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0', 'http.token': token };
  process.env['MILLRACE_HTTP_TOKEN'] = token;
  platform = await startPlatform({ configuration: resolveConfiguration({ flags, environment: {} }) });
  await platform.ready();
  client = connect({ url: platform.url, token });
  const cli = compiledFile(new URL('../../cli/main.ts', import.meta.url));
  // stands for the package that `npm ci` installs
  await executable('npx', `[ "$1" = millrace ] || exit 64\nshift\nexec "${process.execPath}" "${cli}" "$@"\n`);
  await executable('npm', '[ "$*" = ci ]\n');
}, 120_000);

afterAll(async () => {
  Reflect.deleteProperty(process.env, 'MILLRACE_HTTP_TOKEN');
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

async function executable(name: string, commands: string): Promise<void> {
  await writeFile(join(directory, name), `#!/usr/bin/env bash\n${commands}`);
  await chmod(join(directory, name), 0o755);
}

/** Runs the job; answers its summary. */
async function runWorkflow(inputs: Readonly<Record<string, string>>): Promise<string> {
  const { jobs } = parse(await readFile(join(example, '.github/workflows/train.yml'), 'utf8')) as Workflow;
  const known: Readonly<Record<string, string>> = {
    'vars.MILLRACE_URL': platform.url ?? '',
    'vars.WINES': '../wine/wine-quality.csv',
    'secrets.MILLRACE_TOKEN': token,
    ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`inputs.${name}`, value])),
  };
  const evaluated = (value: string): string =>
    value.replaceAll(/\$\{\{ *([\w.]+)(?: \|\| '([^']*)')? *\}\}/g, (_, name: string, otherwise = '') =>
      String(known[name] ?? otherwise),
    );
  const files = { GITHUB_ENV: join(directory, 'env'), GITHUB_STEP_SUMMARY: join(directory, 'summary') };
  for (const file of Object.values(files)) await writeFile(file, '');
  for (const { run } of jobs.train.steps) {
    if (run === undefined) continue;
    const added = (await readFile(files.GITHUB_ENV, 'utf8')).split('\n').filter(Boolean);
    const env = {
      ...process.env,
      ...Object.fromEntries(Object.entries(jobs.train.env).map(([name, value]) => [name, evaluated(value)])),
      ...Object.fromEntries(added.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])),
      ...files,
      GITHUB_SHA: 'c0ffee',
      RUNNER_TEMP: directory,
      PATH: [directory, process.env['PATH']].join(delimiter),
    };
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', run], { cwd: example, env });
    const said = Promise.all([text(child.stdout), text(child.stderr)]);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    expect(code, `${run}\n${(await said).join('')}`).toBe(0);
  }
  return (await readFile(files.GITHUB_STEP_SUMMARY, 'utf8')).trim();
}

describe('continuous training', () => {
  it('promotes the first model and whatever is better, keeps production when it is not, and serves what is promoted', async () => {
    expect(await runWorkflow({ alpha: '1' })).toMatch(/^promoted: RMSE 0\.8/);
    const served = await quality();
    expect(await runWorkflow({})).toMatch(/^promoted: RMSE 0\.74/);
    await eventually('the better model answers', async () => (await quality()) !== served, 20_000);
    expect(await runWorkflow({ alpha: '0.5' })).toMatch(/^kept: RMSE 0\.\d+, version 2 has 0\.74/);
    const { aliases, versions } = await client.models.show('wine-quality');
    expect(aliases).toEqual({ production: 2 });
    expect(versions).toHaveLength(2);
    const runs = await client.runs.list({ tags: ['commit:c0ffee'] });
    expect(runs.map(({ tags }) => tags.find((tag) => tag === 'promoted' || tag === 'kept'))).toEqual([
      'kept',
      'promoted',
      'promoted',
    ]);
  }, 240_000);
});

/** What the deployment answers for one wine. */
async function quality(): Promise<number> {
  const rows = [[7, 0.27, 0.36, 20.7, 0.045, 45, 170, 1.001, 3, 0.45, 8.8]];
  const { outputs } = await eventually('the deployment answers', () =>
    client.predict('wine-quality', { rows }).catch(() => undefined),
  );
  return Number(outputs[0]?.data[0]);
}
