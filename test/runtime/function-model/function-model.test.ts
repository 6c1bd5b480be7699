import { describe, expect, it } from 'vitest';
import {
  createFunctionModel,
  type FunctionModelDefinition,
} from '../../../runtime/adapters/function-model/function-model.ts';
import { createFunctionRuntime, functionModelFile } from '../../../runtime/adapters/function-model/function-runtime.ts';
import { MillraceError, type Tensor } from '../../../runtime/ports/index.ts';

const x: Tensor = { name: 'x', datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) };
const y: Tensor = { ...x, name: 'y' };
const definition = (run: FunctionModelDefinition['run'], name = 'function'): FunctionModelDefinition => ({
  name,
  signature: {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
    batch: 'dynamic',
  },
  run,
});
const outcome = async (run: FunctionModelDefinition['run']): Promise<{ code: string; message: string }> =>
  await createFunctionModel(definition(run))
    .run([x])
    .then(
      () => ({ code: 'none', message: '' }),
      (error: unknown) => error as MillraceError,
    );

describe('createFunctionModel', () => {
  it('takes functions that answer at once, and later, and passes over outputs that nobody declared', async () => {
    expect(await createFunctionModel(definition(() => [y])).run([x])).toEqual([y]);
    expect(await createFunctionModel(definition(() => Promise.resolve([x, y]))).run([x])).toEqual([y]);
  });

  it('says that user code failed when the function throws, and lets its own MillraceError through', async () => {
    const thrown = await outcome(() => {
      throw new TypeError('no such thing');
    });
    expect([thrown.code, thrown.message]).toEqual([
      'USER_CODE_FAILED',
      "function model 'function' threw: no such thing",
    ]);
    const own = await outcome(() => Promise.reject(new MillraceError('UNAVAILABLE', 'Later.')));
    expect([own.code, own.message]).toEqual(['UNAVAILABLE', 'Later.']);
  });

  it.each<[string, readonly Tensor[], RegExp]>([
    ['lacks an output', [x], /output 'y': it is missing/],
    ['has another datatype', [{ ...y, datatype: 'FP64' }], /output 'y': datatype must be FP32, got FP64/],
    ['has another rank', [{ ...y, shape: [2, 1] }], /output 'y': shape must be \[-1\].*got \[2, 1\]/],
    ['has too few values', [{ ...y, shape: [3] }], /output 'y': shape \[3\] needs 3 values, got 2/],
  ])('says that user code failed when the answer %s', async (_, answer, message) => {
    const { code, message: text } = await outcome(() => answer);
    expect([code, text]).toEqual(['USER_CODE_FAILED', expect.stringMatching(message)]);
  });

  it('waits on close for a function that takes its time', async () => {
    let finish: (answer: readonly Tensor[]) => void = () => undefined;
    const model = createFunctionModel(
      definition(
        () =>
          new Promise((resolve) => {
            finish = resolve;
          }),
      ),
    );
    const order: string[] = [];
    const run = model.run([x]).then(() => order.push('run'));
    const close = model.close().then(() => order.push('close'));
    finish([y]);
    await Promise.all([run, close]);
    expect(order).toEqual(['run', 'close']);
  });

  it('refuses names that are no names', () => {
    expect(() => createFunctionModel(definition(() => [y], '../etc'))).toThrow(/must match/);
  });
});

describe('createFunctionRuntime', () => {
  it('finds the function that a file names', async () => {
    const other = { ...y, data: Float32Array.of(5, 6) };
    const runtime = createFunctionRuntime([definition(() => [y], 'one'), definition(() => [other], 'other')]);
    expect(await (await runtime.load(functionModelFile('other'))).run([x])).toEqual([other]);
  });

  it('refuses two functions of one name', () => {
    expect(() => createFunctionRuntime([definition(() => [y]), definition(() => [y])])).toThrow(/one name/);
  });
});
