/** Lists and filters over 100,000 runs that a generator writes to the log, and 1,000 artifacts read by the client. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { inlineArtifact } from '../../../schemas/codec/artifact-value.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';

const runs = 100_000;
const statuses = ['completed', 'completed', 'completed', 'failed', 'running'] as const;
let directory: string;
let platform: Platform;
let client: Client;

const idOf = (run: number): string => run.toString(16).padStart(32, '0');

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-many-'));
  const flags = { directory, 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ environment: {}, flags }),
    only: ['provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url, actor: 'ada', timeoutMs: 300_000 });
  for (let from = 0; from < runs; from += 2_500)
    await platform.runtime.publish(Array.from({ length: 2_500 }, (_, index) => factsOf(from + index)).flat() as never);
  await platform.runtime.publish(Array.from({ length: 1_000 }, (_, index) => artifactOf(index)) as never);
  // waits until the tables have all of it
  for (let ready = false; !ready; )
    ready = await Promise.all([client.artifacts.page({ limit: 1 }), client.runs.page({ limit: 1 })])
      .then(() => true)
      .catch(() => false);
}, 900_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

function factsOf(run: number): readonly object[] {
  const runId = idOf(run);
  const flow = `flow-${run % 20}`;
  const status = statuses[run % statuses.length] ?? 'running';
  const requested = {
    runId,
    flow,
    version: 1,
    bundleHash: 'b'.repeat(64),
    graph: '',
    parameters: JSON.stringify({ seed: run % 1_000, name: `n${run}` }),
    tags: run % 10_000 === 0 ? ['rare', 'all'] : ['all'],
    systemTags: [`user:u${run % 7}`],
    cause: { kind: 'manual', id: String(run), position: null },
    actor: `u${run % 7}`,
  };
  const about = { runId, flow, startedAt: 0 };
  const ends = {
    completed: { type: 'run-completed', data: { ...about, tasks: 1, artifacts: [] } },
    failed: { type: 'run-failed', data: { ...about, taskId: 'a', step: 'a', kind: 'user', message: 'it broke' } },
  };
  const end = status === 'running' ? [] : [{ topic: 'runs', key: runId, id: `e${run}`, ...ends[status] }];
  return [{ topic: 'runs', type: 'run-requested', key: runId, id: `r${run}`, data: requested }, ...end];
}

function artifactOf(index: number): object {
  const artifact = inlineArtifact('n', index);
  const data = {
    runId: idOf(7),
    taskId: `rows.${index}.each`,
    step: 'rows.each',
    flow: 'flow-7',
    attempt: 1,
    artifact,
  };
  return { topic: 'artifacts', type: 'artifact-written', key: idOf(7), id: `a${index}`, data };
}

/** Does it five times and says how long the fastest took: for people to read, not to judge by. */
async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  console.log(`${what}: ${Math.min(...times).toFixed(0)} ms`);
}

it.each([
  ['all', {}, 50],
  ['a flow', { flow: 'flow-3' }, 50],
  ['a status', { status: 'failed' as const }, 50],
  ['a flow and a status', { flow: 'flow-3', status: 'failed' as const }, 50],
  ['a tag of all', { tags: ['all'] }, 50],
  ['a rare tag', { tags: ['rare'] }, 10],
  ['a parameter', { parameters: { seed: 999 } }, 50],
  ['a parameter of one run', { parameters: { name: 'n5' } }, 1],
  ['an artifact of one run', { artifacts: { n: 999 } }, 1],
  ['nothing', { tags: ['none'], status: 'completed' as const }, 0],
])('finds the first page of %s', async (what, filter, expected) => {
  await timed(`first page of ${what}`, async () =>
    expect((await client.runs.page(filter)).runs).toHaveLength(expected),
  );
});

it('reads 1,000 artifacts by their name', async () => {
  await timed('1,000 artifacts', async () => {
    const artifacts = await client.artifacts.list({ runId: idOf(7), name: 'n' });
    const values = await Promise.all(artifacts.map((artifact) => artifact.value()));
    expect(new Set(values).size).toBe(1_000);
  });
});
