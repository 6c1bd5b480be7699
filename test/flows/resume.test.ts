/** Runs that go on where they stopped, on a laptop's platform: by the client, the command line and HTTP, deployed and not. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow, type FlowBundle } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect, type ShownRun, type StartedRun } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace, type Said } from '../cli/cli-driver.ts';
import { endOf } from './ended-run.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const file = join(root, 'test/flows/flows/resumes.ts');
let directory: string;
let platform: Platform;
let client: Client;
let bundle: FlowBundle;

async function open(): Promise<void> {
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0', 'worker.slots': '2' };
  platform = await startPlatform({ configuration: resolveConfiguration({ environment: {}, flags }) });
  await platform.ready();
  client = connect({ url: platform.url, actor: 'ada' });
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-resume-'));
  bundle = await bundleFlow(file);
  await open();
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

const marker = (name: string): string => join(directory, name);
const put = (name: string): Promise<void> => writeFile(marker(name), '');
const ended = (runId: string): Promise<ShownRun> => endOf(client, runId);
const cli = (...words: readonly string[]): Promise<Said> => millrace([...words, '--url', platform.url ?? '']);

/** The last line of the stream that `--json` is. */
async function resumedBy(...words: readonly string[]): Promise<ShownRun> {
  const { out, err } = await cli('resume', ...words, '--json');
  expect(out, err).not.toBe('');
  return (JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as { run: ShownRun }).run;
}

function resumed(started: StartedRun): string {
  if (started.queued === true) throw new Error(started.reason);
  return started.runId;
}

const cloned = ({ tasks }: ShownRun): number => tasks.filter(({ originRunId }) => originRunId !== null).length;
const hashOf = (run: ShownRun, taskId: string, name: string): string | undefined =>
  run.tasks.find((task) => task.taskId === taskId)?.artifacts.find((artifact) => artifact.name === name)?.hash;

describe('resume', () => {
  it('clones 51 tasks by reference and runs 2', async () => {
    const { runId: origin } = await client.flows.run(bundle, { marker: marker('one'), items: 49 });
    const failed = await ended(origin);
    expect(failed).toMatchObject({ status: 'failed', failure: expect.stringContaining('is not there') as string });
    await put('one');
    const run = await ended(resumed(await client.runs.resume(origin)));
    expect(run).toMatchObject({
      status: 'completed',
      originRunId: origin,
      parameters: { marker: marker('one'), items: 49 },
      cause: { kind: 'resume' },
    });
    expect(cloned(run)).toBe(51);
    expect(run.tasks).toHaveLength(53);
    expect(run.steps).toMatchObject([
      { step: 'load', tasks: 1 },
      { step: 'rows', tasks: 1 },
      { step: 'rows.each', tasks: 49, statuses: { completed: 49 } },
      { step: 'sum', tasks: 1 },
      { step: 'tell', tasks: 1 },
    ]);
    const { out } = await cli('runs', 'show', run.runId, '--limit', '2', '--cursor', '49');
    expect(out).toMatch(/rows\.each +49 +49 completed[^]*2 of 53 tasks:[^]*taken over/);
    const page = await client.runs.show(run.runId, { step: 'rows.each', status: 'completed', limit: 30 });
    expect([page.tasks.length, page.next]).toEqual([30, '30']);
    expect(hashOf(run, 'load', 'stamp')).toBe(hashOf(failed, 'load', 'stamp'));
    const explained = JSON.stringify(await client.explain(run.runId));
    expect(explained).toContain('run.resume by ada');
    expect(explained).toContain(origin);
  }, 60_000);

  it('is shown by the graph of the run that it resumes, also of one that was a resumption itself', async () => {
    const { runId } = await client.flows.run(bundle, { marker: marker('five') });
    await ended(runId);
    const first = await cli('resume', runId);
    expect(first.code, first.err).toBe(1);
    expect(first.err).not.toMatch(/1 tasks/);
    const second = /run ([0-9a-f]{32}) resumes/.exec(first.err)?.[1] ?? '';
    await put('five');
    const { err } = await cli('resume', second, '--from', 'rows');
    expect(err).toMatch(/✔ rows\.each 3 tasks/);
    expect(err).toMatch(/✔ tell /);
  }, 60_000);

  it('goes on in place by the command line, under the same id', async () => {
    const { runId } = await client.flows.run(bundle, { marker: marker('two') });
    const failed = await ended(runId);
    await put('two');
    const { out, err, code } = await cli('resume', runId, '--in-place');
    expect(code, err).toBe(0);
    expect(out).toMatch(new RegExp(`^✔ completed resumes run ${runId} after [^,]+\n$`));
    // as `run` shows it, from where it goes on: the attempt that failed is past
    expect(err).toContain(`resumes run ${runId} goes on`);
    expect(err).toMatch(/… sum started \(attempt 2\)\n[^]*✔ sum [^]*✔ tell /);
    expect(err).not.toMatch(/✘|load|is not there/);
    const run = await client.runs.show(runId);
    expect(run).toMatchObject({ runId, status: 'completed', originRunId: runId, failure: null });
    expect(hashOf(run, 'sum', 'stamp')).toBe(hashOf(failed, 'load', 'stamp'));
    expect(run.tasks.find(({ taskId }) => taskId === 'sum')).toMatchObject({ status: 'completed', attempt: 2 });
  }, 60_000);

  it('takes changed code from a file, and runs from a named step on, of a deployed flow too', async () => {
    await client.flows.deploy(bundle);
    await put('three');
    const started = await client.production.start('resumes', { marker: marker('three') });
    const { runId: origin } = started as { runId: string };
    const done = await ended(origin);
    expect(done).toMatchObject({ status: 'completed', version: 1, failure: null });
    const changed = join(directory, 'changed.ts');
    const text = (await readFile(file, 'utf8')).replaceAll('../../../sdk', join(root, 'sdk'));
    await writeFile(changed, text.replace('${total} of', 'changed: ${total} of'));
    const run = await resumedBy(origin, changed, '--from', 'tell');
    expect(run).toMatchObject({ status: 'completed', version: 0, originRunId: origin });
    expect(cloned(run)).toBe(6);
    await client.flows.deploy(await bundleFlow(changed));
    const again = await client.runs.resume(origin, { code: 'deployed', from: 'tell', inPlace: true });
    expect(again).toMatchObject({ runId: origin, version: 2 });
    const last = await ended(origin);
    expect(hashOf(last, 'tell', 'told')).toBe(hashOf(run, 'tell', 'told'));
    expect(hashOf(last, 'tell', 'told')).not.toBe(hashOf(done, 'tell', 'told'));
  }, 60_000);

  it('resumes what a platform that was shut down in the middle has lost', async () => {
    await put('four');
    const { runId: origin } = await client.flows.run(bundle, { marker: marker('four'), holdMs: 600_000 });
    await eventually(
      'the join runs',
      async () => (await client.runs.show(origin)).tasks.find(({ taskId }) => taskId === 'sum')?.status === 'running',
      50_000,
    );
    await platform.close();
    await open();
    expect(await ended(origin)).toMatchObject({
      status: 'failed',
      failure: expect.stringMatching(/sum: .*/) as string,
    });
    const answer = await client.runs.resume(origin, { from: 'nowhere' });
    expect((await ended(resumed(answer))).failure).toContain("has no step 'nowhere': its steps are load, rows");
    expect(resumed(await client.runs.resume(origin, { inPlace: true }))).toBe(origin);
    await eventually(
      'the join runs again',
      async () =>
        (await client.runs.show(origin)).tasks.find(({ taskId, status }) => taskId === 'sum' && status === 'running')
          ?.attempt === 2,
    );
    await expect(client.runs.resume(origin)).rejects.toMatchObject({ code: 'CONFLICT' });
    await client.runs.cancel(origin, 'enough');
    expect((await ended(origin)).status).toBe('cancelled');
    await expect(client.runs.resume('f'.repeat(32))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }, 90_000);
});
