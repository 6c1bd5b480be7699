import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ArtifactRef, BlobStore, TaskExecutor, TaskOutcome, TaskWork } from '../../../runtime/ports/index.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { decodeArtifact } from '../../../schemas/codec/artifact-value.ts';

/** What a case works with. */
export interface Bench {
  readonly executor: TaskExecutor;
  readonly blobs: BlobStore;
  readonly bundleHash: string;
  /** How long the suite waits for an outcome. */
  readonly patienceMs: number;
}

/** One clause of the contract. `mutant` names the broken executor that turns exactly this case red. */
export interface Case {
  readonly name: string;
  readonly mutant: string;
  run(bench: Bench): Promise<void>;
}

const untimed = (text: string): string => text.replaceAll(/^\S+Z /gm, '');

export const logBytesMax = 100_000;

export const cases: readonly Case[] = [
  {
    name: 'stores what a step returns, by content, with its codec',
    mutant: 'loses an artifact',
    run: async (bench) => {
      const outcome = completed(await run(bench, 'values', { parameters: '{"path":"here"}', attempt: 3 }));
      const values = await decoded(bench, outcome.artifacts);
      expect(Object.keys(values).sort()).toEqual(['big', 'context', 'plain', 'raw', 'vector']);
      expect(values['plain']).toEqual({ a: [1, 'two', null] });
      expect(values['vector']).toEqual(new Float64Array([1.5, -2]));
      expect(outcome.artifacts.find(({ name }) => name === 'raw')?.codec).toBe('bytes');
    },
  },
  {
    name: 'gives the step its parameters, ids, attempt and idempotency key',
    mutant: 'says attempt 0',
    run: async (bench) => {
      const outcome = completed(await run(bench, 'values', { parameters: '{"path":"here"}', attempt: 3 }));
      expect((await decoded(bench, outcome.artifacts))['context']).toEqual({
        path: 'here',
        runId: 'run-1',
        taskId: 'values',
        attempt: 3,
        idempotencyKey: 'key-1',
      });
    },
  },
  {
    name: 'gives a step the artifacts of its inputs, small and big',
    mutant: 'forgets the inputs',
    run: async (bench) => {
      const before = completed(await run(bench, 'values'));
      const outcome = completed(await run(bench, 'reads', { inputs: [{ branch: '', artifacts: before.artifacts }] }));
      expect((await decoded(bench, outcome.artifacts))['seen']).toEqual({
        plain: { a: [1, 'two', null] },
        first: 1.5,
        raw: [1, 2, 3],
        big: 200_000,
        sum: 1_400_000,
      });
    },
  },
  {
    name: 'says which of its inputs a step has read',
    mutant: 'says that everything was read',
    run: async (bench) => {
      const { artifacts } = completed(await run(bench, 'values'));
      const outcome = completed(await run(bench, 'peeks', { inputs: [{ branch: '', artifacts }] }));
      const plain = artifacts.find(({ name }) => name === 'plain');
      expect(outcome.inputs).toEqual([{ name: 'plain', hash: plain?.hash }]);
    },
  },
  {
    name: 'stores what a step saves to go on from, and lets it go on only when that is heard',
    mutant: 'lets a step go on before its checkpoint is kept',
    run: async (bench) => {
      const saved: ArtifactRef[] = [];
      let heard = false;
      const { outcome } = bench.executor.start(work(bench, 'saves'), {
        line: () => undefined,
        card: () => undefined,
        checkpoint: async (checkpoint) => {
          saved.push(checkpoint);
          // durable before it is heard
          await decoded(bench, [checkpoint]);
          await new Promise((resolve) => setTimeout(resolve, 300)); // the slow listener itself, not a wait for something
          heard = true;
        },
      });
      const ended = completed(await within(outcome, bench.patienceMs));
      const { waitedMs } = (await decoded(bench, ended.artifacts)) as { waitedMs: number };
      expect(heard).toBe(true);
      expect(waitedMs).toBeGreaterThanOrEqual(250);
      expect(saved.map(({ name }) => name)).toEqual(['weights']);
      expect((await decoded(bench, saved))['weights']).toEqual({ epoch: 1 });
    },
  },
  {
    name: 'tells a step that nobody keeps its checkpoint',
    mutant: 'swallows the refusal of a checkpoint',
    run: async (bench) => {
      const refused = bench.executor.start(work(bench, 'saves'), {
        line: () => undefined,
        card: () => undefined,
        checkpoint: () => Promise.reject(new Error('another worker holds the task')),
      });
      const { kind, message } = failed(await within(refused.outcome, bench.patienceMs));
      expect(kind).toBe('user');
      expect(message).toContain('another worker holds the task');
    },
  },
  {
    name: 'begins the next attempt with what the last one has saved',
    mutant: 'begins from nothing',
    run: async (bench) => {
      const bytes = Buffer.from('{"epoch":7}');
      const { hash, sizeBytes } = await bench.blobs.put(bytes);
      const checkpoints = [{ name: 'weights', hash, sizeBytes, codec: 'json' }];
      const { artifacts } = completed(await run(bench, 'continues', { attempt: 2, checkpoints }));
      expect(await decoded(bench, artifacts)).toMatchObject({ from: { epoch: 7 } });
    },
  },
  {
    name: 'hands on what is to be registered, its bytes stored before',
    mutant: 'drops deferred requests',
    run: async (bench) => {
      const { requests } = completed(await run(bench, 'registers'));
      expect(requests).toHaveLength(1);
      const body = JSON.parse(requests[0]?.body ?? '{}') as {
        model: string;
        artifact: ArtifactRef;
        alias: string;
        metrics: object;
      };
      expect(body).toMatchObject({
        model: 'm',
        alias: 'best',
        metrics: { error: 0.5 },
        artifact: { codec: 'onnx', sizeBytes: 2 },
      });
      expect(await bench.blobs.get(body.artifact.hash)).toEqual(Buffer.from([9, 9]));
    },
  },
  {
    name: 'says what user code threw, with its stack',
    mutant: 'swallows an exception',
    run: async (bench) => {
      const outcome = failed(await run(bench, 'throws'));
      expect(outcome).toMatchObject({ kind: 'user', message: 'the step broke' });
      expect(outcome.stack).toContain('RangeError');
    },
  },
  {
    name: "names the user's own file and line in a stack",
    mutant: 'hides where it happened',
    run: async (bench) => {
      const lines = (await readFile(new URL('./steps.ts', import.meta.url), 'utf8')).split('\n');
      const line = lines.findIndex((text) => text.includes("throw new RangeError('the step broke')")) + 1;
      expect(failed(await run(bench, 'throws')).stack).toMatch(new RegExp(`[( ]steps\\.ts:${line}:\\d+`));
    },
  },
  {
    name: 'says in the log why a step failed, behind all that it wrote',
    mutant: 'keeps the failure out of the log',
    run: async (bench) => {
      const outcome = failed(await run(bench, 'throws'));
      expect(await logOf(bench, outcome)).toMatch(
        /err RangeError: the step broke\n(err {5}at .*steps\.ts.*\n)+trace RangeError: the step broke\n(trace {5}at .*\n)+$/,
      );
      expect(await logOf(bench, await run(bench, 'sleeps', { timeoutMs: 300 }))).toContain('longer than 300 ms');
    },
  },
  {
    name: 'fails a step whose promise is rejected where nobody waits',
    mutant: 'calls it a platform error',
    run: async (bench) => {
      expect(failed(await run(bench, 'rejects-later'))).toMatchObject({
        kind: 'user',
        message: 'nobody waits for this',
      });
    },
  },
  {
    name: 'names an artifact that cannot be stored, and why',
    mutant: 'hides the message',
    run: async (bench) => {
      expect(failed(await run(bench, 'unstorable')).message).toContain(
        "'model.predict' cannot be stored: it is a function",
      );
    },
  },
  {
    name: 'survives a step that ends its process',
    mutant: 'dies with the step',
    run: async (bench) => {
      expect(failed(await run(bench, 'exits'))).toMatchObject({
        kind: 'user',
        message: expect.stringContaining('exit code 3') as string,
      });
      completed(await run(bench, 'values'));
    },
  },
  {
    name: 'says that a crash was one',
    mutant: 'calls a crash a success',
    run: async (bench) => {
      expect(failed(await run(bench, 'crashes'))).toMatchObject({
        kind: 'killed',
        message: expect.stringContaining('SIGSEGV') as string,
      });
    },
  },
  {
    name: 'ends a step that never yields at its timeout',
    mutant: 'ignores the timeout',
    run: async (bench) => {
      const outcome = failed(await run(bench, 'loops', { timeoutMs: 400 }));
      expect(outcome).toMatchObject({ kind: 'timeout', message: 'the step ran longer than 400 ms' });
    },
  },
  {
    name: 'ends a step that takes too much memory',
    mutant: 'calls it a user error',
    run: async (bench) => {
      expect(failed(await run(bench, 'eats'))).toMatchObject({
        kind: 'killed',
        message: expect.stringContaining('out of memory') as string,
      });
    },
  },
  {
    name: 'cancels a step with the processes that it started',
    mutant: 'leaves grandchildren',
    run: async (bench) => {
      const path = scratch('spawned');
      const handle = bench.executor.start(work(bench, 'spawns', { parameters: JSON.stringify({ path }) }));
      const pid = await eventually('the step has started a process', () => pidIn(path));
      handle.cancel('enough');
      expect(failed(await handle.outcome)).toMatchObject({ kind: 'cancelled', message: 'enough' });
      await eventually('the grandchild is gone', async () => !(await isRunningNow(pid)), 3_000);
    },
  },
  {
    name: 'keeps the outcome of a step that was decided before the cancel',
    mutant: 'cancels what has ended',
    run: async (bench) => {
      const handle = bench.executor.start(work(bench, 'values'));
      completed(await handle.outcome);
      handle.cancel('too late');
      completed(await handle.outcome);
    },
  },
  {
    name: 'keeps both streams in the order in which they were written',
    mutant: 'sorts the log by stream',
    run: async (bench) => {
      expect(await logOf(bench, await run(bench, 'talks'))).toBe(
        'out first\nerr second\nout third\nout fourth {"n":4}\n',
      );
    },
  },
  {
    name: 'bounds the log, and says what was cut',
    mutant: 'keeps the whole log',
    run: async (bench) => {
      const text = await logOf(bench, await run(bench, 'floods'));
      expect(text.length).toBeLessThan(logBytesMax + 200);
      expect(text).toMatch(/err \[the log was cut: \d+ bytes more were written\]\n$/);
      expect(text).toContain('out line 0 ');
    },
  },
  {
    name: 'runs as many steps at once as it has slots',
    mutant: 'runs one at a time',
    run: async (bench) => {
      const handles = Array.from({ length: bench.executor.slots }, () => bench.executor.start(work(bench, 'sleeps')));
      const quick = bench.executor.start(work(bench, 'values'));
      handles[0]?.cancel('make room');
      completed(await within(quick.outcome, bench.patienceMs).finally(() => quick.cancel('no longer awaited')));
      for (const handle of handles) handle.cancel('done');
      for (const handle of handles) expect(failed(await handle.outcome).kind).toBe('cancelled');
    },
  },
  {
    name: 'says that a bundle is missing',
    mutant: 'waits for ever for a bundle',
    run: async (bench) => {
      const outcome = await run(bench, 'values', { bundleHash: 'f'.repeat(64) });
      expect(failed(outcome)).toMatchObject({ kind: 'platform' });
    },
  },
  {
    name: 'says that a bundle does not load, and why',
    mutant: 'calls a broken bundle a platform error',
    run: async (bench) => {
      const { hash } = await bench.blobs.put(Buffer.from('import "./nowhere.mjs"; export default 1;'));
      const outcome = await run(bench, 'values', { bundleHash: hash });
      expect(failed(outcome)).toMatchObject({
        kind: 'user',
        message: expect.stringContaining('the bundle does not load') as string,
      });
    },
  },
];

let offers = 0;

export function work({ bundleHash }: Pick<Bench, 'bundleHash'>, step: string, more: Partial<TaskWork> = {}): TaskWork {
  return {
    runId: 'run-1',
    taskId: step,
    step,
    attempt: 1,
    // each call is work of its own
    dispatch: ++offers,
    flow: 'conformance',
    bundleHash,
    inputs: [{ branch: '', artifacts: [] }],
    parameters: '{"path":""}',
    idempotencyKey: 'key-1',
    timeoutMs: 20_000,
    ...more,
  };
}

async function run(bench: Bench, step: string, more: Partial<TaskWork> = {}): Promise<TaskOutcome> {
  return await within(bench.executor.start(work(bench, step, more)).outcome, bench.patienceMs);
}

/** A contract that is broken by silence must turn red too. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no outcome within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function completed(outcome: TaskOutcome): Extract<TaskOutcome, { type: 'completed' }> {
  if (outcome.type !== 'completed')
    throw new Error(`expected a completion, got ${outcome.kind}: ${outcome.message} ${outcome.stack}`);
  return outcome;
}

function failed(outcome: TaskOutcome): Extract<TaskOutcome, { type: 'failed' }> {
  if (outcome.type !== 'failed') throw new Error('expected a failure, got a completion');
  return outcome;
}

async function decoded({ blobs }: Bench, artifacts: readonly ArtifactRef[]): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const { name, codec, hash, inline = null } of artifacts)
    values[name] = decodeArtifact(codec, inline ?? (await blobs.get(hash)));
  return values;
}

async function logOf({ blobs }: Bench, outcome: TaskOutcome): Promise<string> {
  return outcome.logs === undefined ? '' : untimed((await blobs.get(outcome.logs.hash)).toString('utf8'));
}

export function scratch(name: string): string {
  return join(tmpdir(), `millrace-${name}-${process.pid}-${Math.random().toString(36).slice(2)}`);
}

export async function pidIn(path: string): Promise<number | undefined> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  return pid > 0 ? pid : undefined;
}

/** A process that has ended but that nobody has waited for yet does not run. */
export async function isRunningNow(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return status !== undefined && !/\) [ZX] /.test(status);
}
