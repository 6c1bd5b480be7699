import { describe, expect, it } from 'vitest';
import { fixedBatches } from '../../../services/model-server/batch-policy.ts';
import { type BatcherOptions, MicroBatcher } from '../../../services/model-server/micro-batcher.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { type LinearFile, LinearRuntime, tensor } from './linear-runtime.ts';

async function batcher(file: Partial<LinearFile> = {}, rowsMax = 100, options: BatcherOptions = {}) {
  const runtime = new LinearRuntime();
  const model = await runtime.load(Buffer.from(JSON.stringify({ weights: [1, 10], bias: 0.5, ...file })));
  return { runtime, model, batcher: new MicroBatcher(model, { policy: fixedBatches(rowsMax), ...options }) };
}

const answers = (run: { outputs: readonly { data: unknown }[] }): number[] => [
  ...(run.outputs[0]!.data as Float64Array),
];

describe('the micro-batcher', () => {
  it('runs what arrived in one turn together and gives each request its rows', async () => {
    const { runtime, batcher: batches } = await batcher();
    const runs = await Promise.all([
      batches.run([tensor([1, 1])], 1),
      batches.run([tensor([2, 2], [3, 3], [4, 4])], 3),
      batches.run([tensor()], 0),
      batches.run([tensor([5, 5])], 1),
    ]);
    expect(runs.map(answers)).toEqual([[11.5], [22.5, 33.5, 44.5], [], [55.5]]);
    expect(runs.map(({ outputs }) => outputs[0]!.shape)).toEqual([
      [1, 1],
      [3, 1],
      [0, 1],
      [1, 1],
    ]);
    expect(runtime.calls).toEqual([5]);
  });

  it('takes what waits when the model becomes free', async () => {
    const { runtime, batcher: batches } = await batcher();
    const first = batches.run([tensor([1, 0])], 1);
    const later = new Promise<void>((resolve) => setImmediate(resolve)).then(() =>
      Promise.all(Array.from({ length: 10 }, (_, i) => batches.run([tensor([i, 0])], 1))),
    );
    await first;
    expect((await later).flatMap(answers)).toEqual(Array.from({ length: 10 }, (_, i) => i + 0.5));
    expect(runtime.calls).toEqual([1, 10]);
  });

  it('stays within its limit of rows, but runs a larger request whole', async () => {
    const { runtime, batcher: batches } = await batcher({}, 4);
    const row = [0, 0];
    await Promise.all(
      [1, 3, 1, 9, 1].map((rows) => batches.run([tensor(...Array.from({ length: rows }, () => row))], rows)),
    );
    expect(runtime.calls).toEqual([4, 2, 9]);
  });

  it('lets one bad request fail alone', async () => {
    const { batcher: batches } = await batcher({ failOn: 666 });
    const runs = await Promise.allSettled([1, 666, 2].map((value) => batches.run([tensor([value, 0])], 1)));
    expect(runs.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(runs[1]).toMatchObject({
      reason: { code: 'USER_CODE_FAILED', message: 'the model failed: feature 666 is cursed' },
    });
  });

  it('never puts rows together for a model that does not work row by row', async () => {
    const declared = await batcher({ batch: 'none' });
    await Promise.all([1, 2, 3].map((value) => declared.batcher.run([tensor([value, 0])], 1)));
    expect(declared.runtime.calls).toEqual([1, 1, 1]);

    const found = await batcher({ sumsRows: true });
    const runs = await Promise.all([1, 2, 3].map((value) => found.batcher.run([tensor([value, 0])], 1)));
    expect(runs.flatMap(answers)).toEqual([1.5, 2.5, 3.5]);
    await Promise.all([1, 2].map((value) => found.batcher.run([tensor([value, 0])], 1)));
    expect(found.runtime.calls).toEqual([3, 1, 1, 1, 1, 1]);
  });

  it('refuses what does not wait for room in a full queue, lets the rest wait, and neither takes the other its room', async () => {
    const { runtime, batcher: batches } = await batcher({ delayMs: 20 }, 1, { queueMax: 2, label: 'models:/slow/1' });
    const run = (value: number, waits: boolean) => batches.run([tensor([value, 0])], 1, { waits });
    const running = run(0, false);
    await eventually('it runs', () => runtime.begun === 1);
    const [topic, calls] = [
      [1, 2, 3, 4, 5].map((value) => run(value, true)),
      [6, 7, 8].map((value) => run(value, false)),
    ];
    expect(batches.waiting).toBe(7);
    await expect(calls[2]).rejects.toMatchObject({
      code: 'OVERLOADED',
      message: expect.stringContaining('2 requests wait for model models:/slow/1'),
    });
    expect((await Promise.all([running, ...topic, ...calls.slice(0, 2)])).flatMap(answers)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((value) => value + 0.5),
    );
    expect(batches.waiting).toBe(0);
  });

  it('says when to come again, by how long calls take', async () => {
    const { batcher: batches } = await batcher({ delayMs: 30 }, 1, { queueMax: 20 });
    const all = Array.from({ length: 20 }, () => batches.run([tensor([1, 0])], 1).catch((error: unknown) => error));
    await all[1];
    const refused = Array.from({ length: 10 }, () => batches.run([tensor([1, 0])], 1).catch((error: unknown) => error));
    const { retryAfterMs } = ((await refused[9]) as { details: { retryAfterMs: number } }).details;
    expect(retryAfterMs).toBeGreaterThan(300);
    expect(retryAfterMs).toBeLessThan(60_000);
    await Promise.all([...all, ...refused]);
  });

  it('makes as many calls at once as the model gains from, and as its limit says', async () => {
    const { runtime, batcher: batches } = await batcher({ delayMs: 20 }, 1, { callsMax: 3 });
    const all = Promise.all([1, 2, 3, 4, 5].map((value) => batches.run([tensor([value, 0])], 1)));
    await eventually('three have begun', () => runtime.begun === 3);
    expect(runtime.calls).toEqual([]);
    expect((await all).flatMap(answers)).toEqual([1.5, 2.5, 3.5, 4.5, 5.5]);
  });

  it('does not let those whose answer nobody waits for keep others out of a full queue', async () => {
    const { runtime, batcher: batches } = await batcher({ delayMs: 20 }, 1, { queueMax: 2 });
    const running = batches.run([tensor([0, 0])], 1);
    await eventually('it runs', () => runtime.begun === 1);
    const late = new MillraceError('TIMEOUT', 'too late');
    const gone = [1, 2].map((value) => batches.run([tensor([value, 0])], 1, { gone: () => late }));
    const waits = batches.run([tensor([3, 0])], 1);
    expect((await Promise.allSettled(gone)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await Promise.all([running, waits])).flatMap(answers)).toEqual([0.5, 3.5]);
  });

  it('asks a server that does not answer once for a batch, not once for each of its requests', async () => {
    const { model } = await batcher();
    let calls = 0;
    const away = {
      ...model,
      run: () => {
        calls += 1;
        return Promise.reject(new MillraceError('TIMEOUT', 'no answer'));
      },
    };
    const batches = new MicroBatcher(away, { policy: fixedBatches(100) });
    const runs = await Promise.allSettled([1, 2, 3].map((value) => batches.run([tensor([value, 0])], 1)));
    expect(runs.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(calls).toBe(1);
  });
});
