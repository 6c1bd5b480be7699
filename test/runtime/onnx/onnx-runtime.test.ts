import { describe, expect, it } from 'vitest';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import { hasCode, type MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { modelFile } from './model-cases.ts';
import { attribute, graph, identity, message, model, node, tensorType, valueInfo } from './onnx-writer.ts';

const runtime = createOnnxRuntime();
const floats = (name: string, shape: readonly number[], ...values: number[]): Tensor => ({
  name,
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const batchOf = async (bytes: Uint8Array): Promise<unknown> => {
  const loaded = await runtime.load(bytes);
  await loaded.close();
  return loaded.signature.batch;
};
const errorOf = async (promise: Promise<unknown>): Promise<MillraceError> => {
  try {
    await promise;
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT', 'MODEL_REFUSED')) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('createOnnxRuntime', () => {
  it('leaves out what is no tensor, says how to get it, and still gives the labels', async () => {
    const loaded = await runtime.load(modelFile('iris-logreg-zipmap'));
    expect(loaded.signature.outputs).toEqual([{ name: 'output_label', datatype: 'INT64', shape: [-1] }]);
    expect(loaded.notes).toEqual([
      expect.stringMatching(/"output_probability" is seq\(map\(int64,tensor\(float\)\)\).*left out.*'zipmap': False/),
    ]);
    expect(await loaded.run([floats('X', [1, 4], 4.4, 2.9, 1.4, 0.2)])).toEqual([
      { name: 'output_label', datatype: 'INT64', shape: [1], data: BigInt64Array.of(0n) },
    ]);
    await loaded.close();
  });

  it('does without an input that has a default, and refuses to override it', async () => {
    const loaded = await runtime.load(modelFile('optional-input-with-default'));
    expect(loaded.signature.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(loaded.notes).toEqual([expect.stringMatching(/"k" has a default/)]);
    const { message: text } = await errorOf(loaded.run([floats('x', [1], 1), floats('k', [1], 3)]));
    expect(text).toMatch(/input 'k': it has a default in the model, which cannot be overridden/);
    await loaded.close();
  });

  it('sees from the declared shapes how rows can be put together', async () => {
    const shaped = (input: (number | string)[], output: (number | string)[]): Uint8Array =>
      model(graph([identity], [11, valueInfo('x', tensorType(1, input))], [12, valueInfo('y', tensorType(1, output))]));
    expect(await batchOf(shaped(['N', 2], ['N', 2]))).toBe('dynamic');
    expect(await batchOf(shaped(['', 2], ['', 2]))).toBe('dynamic');
    expect(await batchOf(shaped([3, 2], [3, 2]))).toBe(3);
    expect(await batchOf(shaped([], []))).toBe('none');
    const squeezed = node({ operator: 'ReduceSum', inputs: ['x'], outputs: ['y'] });
    const summed = graph(
      [squeezed],
      [11, valueInfo('x', tensorType(1, ['N']))],
      [12, valueInfo('y', tensorType(1, [1]))],
    );
    expect(await batchOf(model(summed))).toBe('none');
    const product = node({ operator: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] });
    const [a, b] = [valueInfo('a', tensorType(1, ['N', 2])), valueInfo('b', tensorType(1, ['M', 1]))];
    const two = graph([product], [11, a], [11, b], [12, valueInfo('y', tensorType(1, ['N', 1]))]);
    expect(await batchOf(model(two))).toBe('none');
  });

  it('cannot see that the rows of a batch influence each other: a deployment must switch batching off', async () => {
    const loaded = await runtime.load(modelFile('batch-dependent'));
    expect(loaded.signature.batch).toBe('dynamic');
    const [both] = await loaded.run([floats('x', [2, 2], 1, 2, 3, 6)]);
    const [alone] = await loaded.run([floats('x', [1, 2], 1, 2)]);
    expect([both?.data[0], alone?.data[0]]).toEqual([-1, 0]);
    await loaded.close();
  });

  it('says what the runtime says when inputs fit the signature but not each other', async () => {
    const product = node({ operator: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] });
    const [a, b] = [valueInfo('a', tensorType(1, ['N', 'K'])), valueInfo('b', tensorType(1, ['M', 'L']))];
    const bytes = model(graph([product], [11, a], [11, b], [12, valueInfo('y', tensorType(1, ['N', 'L']))]));
    const loaded = await runtime.load(bytes);
    const { code, message: text } = await errorOf(
      loaded.run([floats('a', [1, 2], 1, 2), floats('b', [3, 1], 1, 2, 3)]),
    );
    expect(code).toBe('INVALID_ARGUMENT');
    expect(text).toMatch(/does not run on these inputs \('a' \[1, 2\], 'b' \[3, 1\]\): .*MatMul/);
    await loaded.close();
  });

  it('does not compute constants of gigabytes while it loads', async () => {
    const shape = message([1, 2], [2, 7], [8, 's'], [7, 20_000], [7, 10_000]);
    const nodes = [
      node({ operator: 'ConstantOfShape', inputs: ['s'], outputs: ['big'] }),
      node({
        operator: 'ReduceSum',
        inputs: ['big'],
        outputs: ['sum'],
        attributes: [attribute('keepdims', 2, [3, 0])],
      }),
      node({ operator: 'Add', inputs: ['x', 'sum'], outputs: ['y'] }),
    ];
    // The most that the process ever had, in kilobytes.
    const before = process.resourceUsage().maxRSS;
    await (await runtime.load(model(graph(nodes, [5, shape])))).close();
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(64 * 1024);
  });

  it('reads bytes that lie inside of a larger buffer', async () => {
    const bytes = modelFile('dynamic-batch');
    const larger = Buffer.concat([Buffer.alloc(7, 1), bytes, Buffer.alloc(9, 1)]);
    const loaded = await runtime.load(larger.subarray(7, 7 + bytes.length));
    expect((await loaded.run([floats('x', [1, 5], 0, 0, 0, 0, 0)]))[0]?.shape).toEqual([1, 2]);
    await loaded.close();
  });

  it('refuses a size or a list that no tensor has', async () => {
    const loaded = await runtime.load(modelFile('dtype-string-echo'));
    const echo = (shape: readonly number[], data: unknown): Promise<unknown> =>
      loaded.run([{ name: 'x', datatype: 'BYTES', shape, data: data as string[] }]);
    for (const [shape, data] of [
      [[-1], ['a']],
      [[0.5], ['a']],
      [[1], [5]],
      [[1], 'a'],
      [[1], undefined],
      [[2], ['a']],
    ] as const) {
      expect((await errorOf(echo(shape, data))).message).toMatch(/^input 'x': /);
    }
    await loaded.close();
  });
});
