/** Checkpoints on a laptop's platform: an attempt goes on from what the one before it saved. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, type CollectionReport, connect, type ShownRun } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace } from '../cli/cli-driver.ts';

let directory: string;
let platform: Platform;
let client: Client;
let run: ShownRun;

const ended = (runId: string): Promise<ShownRun> =>
  eventually(
    `run ${runId} has ended`,
    async () => {
      const shown = await client.runs.show(runId);
      return shown.endedAt === null ? undefined : shown;
    },
    50_000,
  );
const value = async (runId: string, taskId: string, name: string): Promise<unknown> => {
  const [found] = await client.artifacts.list({ runId, taskId, name });
  return await found?.value();
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-checkpoints-'));
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ environment: {}, flags }),
    only: ['flow-starts', 'run-progress', 'step-worker', 'provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada' });
  const bundle = await bundleFlow(join(import.meta.dirname, 'flows/checkpoints.ts'));
  run = await ended((await client.flows.run(bundle, {})).runId);
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a checkpoint', () => {
  it('is what the next attempt begins with, small or big, when the process was killed', async () => {
    expect(run.tasks.find(({ taskId }) => taskId === 'count')).toMatchObject({ status: 'completed', attempt: 2 });
    expect(await value(run.runId, 'count', 'began')).toBe(3);
    expect(await value(run.runId, 'count', 'loaded')).toBe(3);
  });

  it('of a program is a file in the folder of its checkpoints; what is still being written is none', async () => {
    expect(run.tasks.find(({ taskId }) => taskId === 'train')).toMatchObject({ status: 'completed', attempt: 2 });
    expect(await value(run.runId, 'train', 'model')).toBe('half\n');
    const all = await client.runs.checkpoints(run.runId);
    expect(all.filter(({ taskId }) => taskId === 'train').map(({ name }) => name)).toEqual(['epochs/model.txt']);
  });

  it('goes when its task has ended well, unless it is kept', async () => {
    const { out } = await millrace(['artifacts', 'checkpoints', run.runId, '--json', '--url', platform.url!]);
    const shown = (JSON.parse(out) as { taskId: string; name: string; kept: boolean }[]).map(
      ({ taskId, name, kept }) => `${taskId} ${name}${kept ? ' kept' : ''}`,
    );
    expect(shown).toEqual(['stop place', 'train epochs/model.txt kept']);
  });

  it('that nobody needs any more is garbage, which is removed; what the run wrote stays', async () => {
    const gc = async (...words: string[]): Promise<CollectionReport> => {
      const said = await millrace(['artifacts', 'gc', '--grace', '0s', ...words, '--json', '--url', platform.url!]);
      expect(said.out, said.err).not.toBe('');
      return JSON.parse(said.out) as CollectionReport;
    };
    const dry = await gc('--dry-run');
    // five were saved, and one of them went to the second attempt
    expect(dry.removedBytes).toBeGreaterThanOrEqual(4 * 3 * 1024 * 1024);
    expect(await gc()).toMatchObject({ removed: dry.removed, removedBytes: dry.removedBytes });
    expect(await gc()).toMatchObject({ removed: 0 });
    expect((await client.runs.work(run.runId, 'count')).checkpoints).toHaveLength(2);
    const weights = (await client.runs.work(run.runId, 'count')).checkpoints?.find(({ name }) => name === 'weights');
    expect(await client.runs.workBlob(run.runId, 'count', weights?.hash ?? '')).toHaveLength(3 * 1024 * 1024);
    const operations = await client.maintenance.operations();
    expect(operations.map(({ action }) => action)).toContain('artifacts.collect');
  });

  it('of a task that failed is where the run that resumes it goes on', async () => {
    expect(run).toMatchObject({ status: 'failed', failure: expect.stringContaining('it stops here') as string });
    const started = await client.runs.resume(run.runId);
    if (started.queued === true) throw new Error(started.reason);
    const resumed = await ended(started.runId);
    expect(resumed.status).toBe('completed');
    expect(await value(resumed.runId, 'stop', 'place')).toBe('the middle');
  });
});
