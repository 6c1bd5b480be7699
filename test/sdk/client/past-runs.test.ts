/** Past runs through client and HTTP: what happened is said by a worker's facts, so no process runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { inlineArtifact } from '../../../schemas/codec/artifact-value.ts';
import type { TaskDispatched } from '../../../schemas/events.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { flow } from '../../../sdk/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';

const { graph } = flow('searched')
  .parameter('rate', { type: 'number', default: 0.1 })
  .step('fit', () => ({ error: 1, weights: 1 }))
  .step('tell', () => ({ told: 1 })) as unknown as FlowCode;
const big = Buffer.alloc(300_000, 7);

let directory: string;
let platform: Platform;
let client: Client;
let said = 0;
const runIds: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-past-'));
  const flags = { directory, 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ environment: {}, flags }),
    only: ['flow-starts', 'run-progress', 'run-ends', 'provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url, actor: 'ada' });
  const { hash } = await platform.runtime.parts.blobs.put(big);
  await platform.runtime.follow('tasks', {
    from: 'earliest',
    onEvent: ({ data }) => void work(data, hash),
  });
  for (const rate of [0.1, 0.2, 0.3]) {
    const code = Buffer.from('export default 1');
    const { runId } = await client.flows.run(
      { name: 'searched', code, graph: graph as object, triggers: [] },
      { rate },
    );
    runIds.push(runId);
    await eventually('the run has ended', async () => (await client.runs.show(runId)).endedAt ?? undefined);
  }
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

/** Fails at a rate of 0.3. */
async function work({ runId, taskId, attempt, dispatch, parameters }: TaskDispatched, blob: string): Promise<void> {
  const { rate } = JSON.parse(parameters) as { rate: number };
  const token = { attempt, dispatch, incarnation: 'i' };
  const base = { runId, taskId, token, worker: 'w', logs: null };
  const artifacts =
    taskId === 'fit'
      ? [
          inlineArtifact('error', rate * 10),
          { name: 'weights', hash: blob, sizeBytes: big.length, codec: 'bytes', inline: null },
        ]
      : [inlineArtifact('told', `rate ${rate}`)];
  await platform.runtime.publish([
    { topic: 'runs', type: 'task-started', key: runId, id: `said-${said++}`, data: { ...base, address: '' } },
  ]);
  const failed = { kind: 'user', message: 'it broke', stack: '', final: false };
  await platform.runtime.publish([
    rate === 0.3
      ? { topic: 'runs', type: 'task-failed', key: runId, id: `said-${said++}`, data: { ...base, ...failed } }
      : {
          topic: 'runs',
          type: 'task-completed',
          key: runId,
          id: `said-${said++}`,
          data: { ...base, artifacts, requests: [], userMs: 1 },
        },
  ]);
}

const found = async (filter: object): Promise<number[]> =>
  (await client.runs.list(filter)).map(({ runId }) => runIds.indexOf(runId));

describe('runs', () => {
  it('are found by flow, status, actor, time, tag, parameter and artifact value, newest first', async () => {
    expect(await found({ flow: 'searched' })).toEqual([2, 1, 0]);
    expect(await found({ flow: 'other' })).toEqual([]);
    expect(await found({ status: 'completed' })).toEqual([1, 0]);
    expect(await found({ actor: 'grace' })).toEqual([]);
    expect(await found({ parameters: { rate: 0.2 } })).toEqual([1]);
    expect(await found({ artifacts: { told: 'rate 0.1' } })).toEqual([0]);
    expect(await found({ artifacts: { error: 2, told: 'rate 0.2' } })).toEqual([1]);
    expect(await found({ artifacts: { error: 2, told: 'rate 0.1' } })).toEqual([]);
    const { startedAt } = await client.runs.show(runIds[1] ?? '');
    expect(await found({ since: startedAt })).toEqual([2, 1]);
    expect(await found({ until: new Date(startedAt) })).toEqual([0]);
    await expect(found({ since: 'yesterday' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('come page by page, each run once', async () => {
    const first = await client.runs.page({ limit: 2 });
    expect(first.runs.map(({ runId }) => runIds.indexOf(runId))).toEqual([2, 1]);
    const second = await client.runs.page({ limit: 2, cursor: first.next ?? '' });
    expect(second.runs.map(({ runId }) => runIds.indexOf(runId))).toEqual([0]);
    expect(second.next).toBeNull();
    const all: number[] = [];
    for await (const run of client.runs.all({ limit: 1 })) all.push(runIds.indexOf(run.id));
    expect(all).toEqual([2, 1, 0]);
    await expect(client.runs.page({ cursor: 'x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('are objects with steps, tasks and artifacts, as in Metaflow', async () => {
    const run = await client.flow('searched').latestSuccessfulRun();
    expect(run?.id).toBe(runIds[1]);
    expect(run?.pathspec).toBe(`searched/${runIds[1]}`);
    expect((await client.flow('searched').latestRun())?.successful).toBe(false);
    expect(await client.flow('nothing').latestRun()).toBeUndefined();
    expect(await run?.parameters()).toEqual({ rate: 0.2 });
    expect(await run?.data()).toEqual({ told: 'rate 0.2' });
    expect((await run?.steps())?.map(({ pathspec }) => pathspec)).toEqual([
      `${run?.pathspec}/fit`,
      `${run?.pathspec}/tell`,
    ]);
    const task = await run?.task('fit');
    expect(task).toMatchObject({ successful: true, finished: true, currentAttempt: 1, step: 'fit', index: [] });
    const weights = await (await task?.artifact('weights'))?.value();
    expect(big.equals(weights as Uint8Array)).toBe(true);
    await expect(task?.artifact('nope')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const failed = await client.run(`searched/${runIds[2]}`);
    expect((await failed.tasks()).map(({ status, exception }) => [status, exception])).toEqual([['user', 'it broke']]);
  });

  it('have tags that change after the run, by which they are found, and namespaces', async () => {
    const [first = ''] = runIds;
    const run = await client.run(first);
    expect(run.systemTags).toEqual(['user:ada']);
    expect(await run.addTags('kept', 'with space')).toEqual(['kept', 'with space']);
    expect(await found({ tags: ['kept', 'user:ada'] })).toEqual([0]);
    expect(await run.replaceTags(['kept'], ['better'])).toEqual(['with space', 'better']);
    expect(await found({ tags: ['kept'] })).toEqual([]);
    expect((await client.run(first)).tags).toEqual(['user:ada', 'better', 'with space']);
    await expect(run.removeTags('user:ada')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: "system tags cannot be removed: 'user:ada'",
    });
    const own = connect({ url: platform.url, namespace: 'user:ada' });
    const others = connect({ url: platform.url, namespace: 'user:grace' });
    expect(await own.runs.list()).toHaveLength(3);
    expect(await others.runs.list()).toEqual([]);
    await expect(others.run(first)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.runs.tag('f'.repeat(32), { add: ['a'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('artifacts', () => {
  it('are found by name and value over all runs, and read by their hash', async () => {
    const { artifacts } = await client.artifacts.page({ name: 'error', value: 2 });
    expect(artifacts.map(({ runId }) => runId)).toEqual([runIds[1]]);
    const [weights] = await client.artifacts.list({ runId: runIds[0] ?? '', name: 'weights' });
    expect(Buffer.from(await client.artifacts.bytes(weights?.hash ?? '')).equals(big)).toBe(true);
    await expect(client.artifacts.bytes('0'.repeat(64))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const pages = await Promise.all(
      ['0', '1', '2'].map((cursor) => client.artifacts.page({ name: 'told', limit: 1, cursor })),
    );
    expect(pages.map(({ artifacts: of }) => of.length)).toEqual([1, 1, 0]);
  });
});
