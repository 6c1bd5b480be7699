import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { EventData } from '../../../schemas/events.ts';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { flow } from '../../../sdk/index.ts';
import { type Provenance, startProvenance } from '../../../services/provenance/index.ts';
import { runProgress } from '../../../topologies/run-progress.ts';

let test: TestRuntime;
let provenance: Provenance;
let said = 0;

beforeAll(async () => {
  test = await createTestRuntime();
  await test.runtime.runTopology(runProgress);
  provenance = await startProvenance(
    test.runtime,
    queryStores({ directory: test.directory, 'query.url': '', 'kafka.prefix': '' } as never, 'query'),
    test.directory,
  );
}, 60_000);
afterAll(async () => {
  await provenance.close();
  await test.close();
});

type Runs = EventData['runs'];
async function say<E extends keyof Runs & string>(type: E, data: Runs[E]): Promise<void> {
  await test.runtime.publish([{ topic: 'runs', type, key: data.runId, id: `said-${said++}`, data } as never]);
  await eventually('all is folded', allFolded);
}

/** What the fold said last lies on its own input: it has read that, too. */
async function allFolded(): Promise<boolean> {
  const ends = await test.runtime.parts.log.endOffsets(test.runtime.topic('runs'));
  const positions = test.runtime.stats().filter(({ task }) => task.startsWith('run-progress/'));
  return positions.reduce((sum, { position }) => sum + position, 0) === ends.reduce((sum, end) => sum + end, 0);
}

const logs = { name: 'log', hash: 'c'.repeat(64), sizeBytes: 9, codec: 'text' };

/** One step, and workers of which each says what it likes. */
async function openRun(digit: string, retry = 0) {
  const runId = digit.repeat(32);
  const { graph } = flow('tested').step('one', () => ({}), { retry }) as unknown as FlowCode;
  await say('run-requested', {
    runId,
    flow: 'tested',
    version: 1,
    bundleHash: 'b'.repeat(64),
    graph: JSON.stringify(graph),
    parameters: '{}',
    tags: [],
    systemTags: [],
    cause: { kind: 'manual', id: `request-${digit}`, position: null },
    actor: 'ada',
  });
  const named = (worker: string, attempt: number) => {
    const token = { attempt, dispatch: attempt, incarnation: `of ${worker}` };
    return { runId, taskId: 'one', token, worker };
  };
  return {
    start: (worker: string, attempt = 1) => say('task-started', named(worker, attempt)),
    complete: (worker: string, attempt = 1) =>
      say('task-completed', { ...named(worker, attempt), artifacts: [], requests: [], userMs: 1, logs }),
    fail: (worker: string, kind: string, attempt = 1) =>
      say('task-failed', { ...named(worker, attempt), kind, message: `it was ${kind}`, stack: '', logs: null }),
    cancel: () => say('run-cancel-requested', { runId, requestId: `cancel-${digit}`, actor: 'bob', reason: 'enough' }),
    attempts: () => provenance.queries.listAttempts(runId),
    task: async () => (await provenance.queries.showRun(runId, { limit: 10 }))?.tasks[0],
  };
}

describe('the tasks of a run, as they are shown', () => {
  it('stay completed when a restarted worker gives up a claim that had ended', async () => {
    const run = await openRun('1');
    await run.start('one');
    expect(await run.task()).toMatchObject({ status: 'running', worker: 'one', endedAt: null });
    await run.complete('one');
    await run.fail('one', 'lost');
    expect(await run.task()).toMatchObject({ status: 'completed', attempt: 1, message: null });
    expect(await run.attempts()).toMatchObject([{ status: 'completed', message: null, logsHash: logs.hash }]);
  });

  it('are known to have ended as they say themselves, also behind a worker that took them for lost', async () => {
    const run = await openRun('5');
    await run.start('one');
    await run.fail('one', 'lost');
    expect(await run.attempts()).toMatchObject([{ status: 'lost', logsHash: null }]);
    await run.complete('one');
    expect(await run.attempts()).toMatchObject([{ status: 'completed', logsHash: logs.hash }]);
  });

  it('stay completed when another worker starts or completes it late', async () => {
    const run = await openRun('2');
    await run.start('one');
    await run.complete('one');
    await run.start('two');
    await run.fail('two', 'user');
    expect(await run.task()).toMatchObject({ status: 'completed', worker: 'one', message: null });
  });

  it('are not completed by an attempt that was replaced', async () => {
    const run = await openRun('3', 1);
    await run.start('one');
    await run.fail('one', 'lost');
    expect(await run.task()).toMatchObject({ status: 'lost', attempt: 1, message: 'it was lost' });
    await run.start('two', 2);
    await run.complete('one', 1);
    expect(await run.task()).toMatchObject({ status: 'running', attempt: 2, worker: 'two', message: null });
    await run.fail('two', 'user', 2);
    await run.complete('one', 1);
    expect(await run.task()).toMatchObject({ status: 'user', attempt: 2, worker: 'two', message: 'it was user' });
  });

  it('are cancelled with their run', async () => {
    const run = await openRun('4');
    await run.start('one');
    await run.cancel();
    await run.complete('one');
    expect(await run.task()).toMatchObject({
      status: 'cancelled',
      worker: 'one',
      message: 'the run was cancelled by bob',
    });
  });
});
