/** Memoised steps on a laptop's platform, by the command line. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { type Client, connect, type ShownRun } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { endOf } from './ended-run.ts';
import { millrace, type Said } from '../cli/cli-driver.ts';

const file = join(import.meta.dirname, 'flows/memoised.ts');
let directory: string;
let platform: Platform;
let client: Client;
let first: ShownRun;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-memoise-'));
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ environment: {}, flags }),
    only: ['flow-starts', 'run-progress', 'step-memory', 'experiment-names', 'step-worker', 'provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada' });
  first = await run();
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

const cli = (...words: readonly string[]): Promise<Said> => millrace([...words, '--url', platform.url!]);

/** Runs the flow as its users do; answers the run. */
async function run(...words: readonly string[]): Promise<ShownRun> {
  const { out, err } = await cli('run', file, ...words, '--json');
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  const { run: ended } = JSON.parse(last) as { run: ShownRun };
  expect(ended, err).toMatchObject({ status: 'completed' });
  return ended;
}

const recalledTasks = ({ tasks }: ShownRun): string[] =>
  tasks
    .filter(({ originRunId }) => originRunId !== null)
    .map(({ taskId }) => taskId)
    .sort();
const hashOf = ({ tasks }: ShownRun, name: string): string | undefined =>
  tasks.flatMap(({ artifacts }) => artifacts).find((artifact) => artifact.name === name)?.hash;

describe('memoised steps', () => {
  it('are not run a second time for the same code, inputs and parameters; others are', async () => {
    const second = await run();
    expect(recalledTasks(second)).toEqual(['fits', 'fits.0.each', 'fits.1.each', 'load', 'sum']);
    expect(hashOf(second, 'loadedAt')).toBe(hashOf(first, 'loadedAt'));
    expect(hashOf(second, 'toldAt')).not.toBe(hashOf(first, 'toldAt'));
    const { out, err } = await cli('runs', 'show', second.runId);
    expect(out.replaceAll(/\u001b\[[0-9;]*m/g, ''), err).toContain(`completed (recalled from run ${first.runId})`);
  });

  it('run again whatever is remembered with --no-cache, and that is remembered from then on', async () => {
    const anew = await run('--no-cache');
    expect(recalledTasks(anew)).toEqual([]);
    expect(hashOf(anew, 'loadedAt')).not.toBe(hashOf(first, 'loadedAt'));
    const after = await run();
    expect(hashOf(after, 'loadedAt')).toBe(hashOf(anew, 'loadedAt'));
    expect(new Set(after.tasks.map(({ originRunId }) => originRunId))).toEqual(new Set([anew.runId, null]));
  });

  it('of a deployed flow run again with --no-cache, too', async () => {
    await client.flows.deploy(await bundleFlow(file));
    const started = async (...words: readonly string[]): Promise<string[]> => {
      const { out, err } = await cli('flows', 'start', 'memoised', ...words, '--json');
      expect(out, err).not.toBe('');
      const { runId } = JSON.parse(out) as { runId: string };
      await endOf(client, runId);
      return recalledTasks(await client.runs.show(runId));
    };
    expect(await started('--no-cache')).toEqual([]);
    expect(await started()).toContain('load');
  });

  it('have the log and the cards of the tasks that ran, and are explained by them', async () => {
    const { runId, tasks } = await run();
    const lines: string[] = [];
    for await (const { taskId, text } of client.runs.logs(runId)) lines.push(`${taskId} ${text}`);
    expect(lines).toEqual(expect.arrayContaining(['load loading', 'fits.0.each fitting 1', 'fits.1.each fitting 2']));
    const shown = await cli('cards', 'get', `${runId}/load`, '--json');
    expect(shown.out, shown.err).toContain('# Loaded');
    const load = tasks.find(({ taskId }) => taskId === 'load');
    const explained = await cli('explain', load?.artifacts[0]?.hash ?? '', '--json');
    const { causes, verified } = JSON.parse(explained.out) as {
      causes: readonly { kind: string; id: string; text: string }[];
      verified: boolean;
    };
    expect(verified).toBe(true);
    expect(causes.map(({ kind, id }) => `${kind} ${id}`)).toContain(`run ${load?.originRunId}`);
  });
});
