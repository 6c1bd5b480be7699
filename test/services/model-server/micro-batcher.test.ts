import { describe, expect, it } from 'vitest';
import { MicroBatcher } from '../../../services/model-server/micro-batcher.ts';
import { type LinearFile, LinearRuntime, tensor } from './linear-runtime.ts';

async function batcher(file: Partial<LinearFile> = {}, batchRowsMax = 100) {
  const runtime = new LinearRuntime();
  const model = await runtime.load(Buffer.from(JSON.stringify({ weights: [1, 10], bias: 0.5, ...file })));
  return { runtime, model, batcher: new MicroBatcher(model, batchRowsMax) };
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
    expect(runtime.calls).toEqual([4, 1, 9, 1]);
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
});
