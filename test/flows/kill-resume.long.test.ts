/** A platform is killed in the middle of a run, another one is started on its directory, and the run is resumed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect, type ShownRun } from '../../sdk/client/index.ts';
import { compiledFile } from '../compiled.ts';

let directory: string;
let platform: ChildProcess;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-kill-resume-'));
});
afterEach(async () => {
  platform.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** Starts `millrace dev` and finds its address. */
async function start(): Promise<Client> {
  const cli = compiledFile(new URL('../../cli/main.ts', import.meta.url));
  const words = ['dev', '--directory', join(directory, 'millrace'), '--set', 'http.port=0', '--set', 'worker.slots=2'];
  const child = spawn(process.execPath, [cli, ...words], { cwd: directory, env: { ...process.env, NO_COLOR: '1' } });
  platform = child;
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const url = await eventually(
    'the platform says its address',
    () => /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0],
    60_000,
  );
  return connect({ url, actor: 'ada' });
}

async function kill(): Promise<void> {
  const gone = new Promise((resolve) => platform.once('exit', resolve));
  platform.kill('SIGKILL');
  await gone;
}

const show = (client: Client, runId: string): Promise<ShownRun | undefined> =>
  client.runs.show(runId).catch(() => undefined);
const ended = (client: Client, runId: string): Promise<ShownRun> =>
  eventually(
    `run ${runId} has ended`,
    async () => {
      const run = await show(client, runId);
      return run === undefined || run.endedAt === null ? undefined : run;
    },
    60_000,
  );

it('a run whose platform was killed says that its task is lost, and is resumed with all that had ended well', async () => {
  const marker = join(directory, 'marker');
  let client = await start();
  const bundle = await bundleFlow(fileURLToPath(new URL('flows/held.ts', import.meta.url)));
  const { runId: origin } = await client.flows.run(bundle, { marker });
  await eventually(
    'the join runs',
    async () => (await show(client, origin))?.tasks.find(({ taskId }) => taskId === 'sum')?.status === 'running',
    60_000,
  );
  await kill();
  client = await start();
  const lost = await ended(client, origin);
  expect(lost).toMatchObject({ status: 'failed', failure: expect.stringMatching(/^sum: /) as string });
  expect(lost.tasks.find(({ taskId }) => taskId === 'sum')?.status).toBe('lost');
  await writeFile(marker, '');
  const answer = await client.runs.resume(origin);
  if (answer.queued === true) throw new Error(answer.reason);
  const resumed = await ended(client, answer.runId);
  expect(resumed.status).toBe('completed');
  expect(resumed.tasks.filter(({ originRunId }) => originRunId === origin)).toHaveLength(14);
  expect(hashOf(resumed, 'sum', 'from')).toBe(hashOf(lost, 'load', 'stamp'));
}, 240_000);

function hashOf({ tasks }: ShownRun, taskId: string, name: string): string | undefined {
  const artifact = tasks.find((task) => task.taskId === taskId)?.artifacts.find((one) => one.name === name);
  return artifact?.hash;
}
