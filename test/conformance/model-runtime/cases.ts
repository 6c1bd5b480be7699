import { expect } from 'vitest';
import { type LoadedModel, MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { floats, type ModelName, type ModelRuntimeFixture, oneRow, oneRowAnswer } from './fixture.ts';

export interface ModelRuntimeCase {
  readonly name: string;
  /** The broken wrapper of `mutants.ts` that turns exactly this case red. */
  readonly mutant: string;
  run(fixture: ModelRuntimeFixture): Promise<void>;
}

export const modelRuntimeCases: readonly ModelRuntimeCase[] = [
  {
    name: 'answers what the model computes, in the order of its outputs',
    mutant: 'turns the outputs around',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        expect(await model.run(oneRow)).toEqual(oneRowAnswer);
      }),
  },
  {
    name: 'takes the inputs in any order',
    mutant: 'takes the inputs by position',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        expect(outputOf(await model.run([oneRow[1], oneRow[0]]), 'difference').data).toEqual(
          Float32Array.of(0.5, -6, 0),
        );
      }),
  },
  {
    name: 'declares names, datatypes and shapes',
    mutant: 'declares a size that is not fixed',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async ({ signature }) => {
        expect(await Promise.resolve({ inputs: signature.inputs, outputs: signature.outputs })).toEqual({
          inputs: ['a', 'b'].map((name) => ({ name, datatype: 'FP32', shape: [-1, 3] })),
          outputs: [
            { name: 'sum', datatype: 'FP32', shape: [-1, 3] },
            { name: 'difference', datatype: 'FP32', shape: [-1, 3] },
            { name: 'a_greater', datatype: 'BOOL', shape: [-1, 3] },
            { name: 'total', datatype: 'FP32', shape: [-1] },
          ],
        });
      }),
  },
  {
    name: 'tells whether rows can be put together: any number, a fixed one, or not at all',
    mutant: 'calls every batch dynamic',
    run: async (fixture) => {
      const batches: unknown[] = [];
      for (const name of ['two-in-four-out', 'fixed-batch-4', 'scalar-rank-0'] as const) {
        await withModel(fixture, name, ({ signature }) => Promise.resolve(batches.push(signature.batch)));
      }
      expect(batches).toEqual(['dynamic', 4, 'none']);
    },
  },
  {
    name: 'keeps 64-bit integers exactly',
    mutant: 'counts with doubles',
    run: (fixture) =>
      withModel(fixture, 'dtype-int64', async (model) => {
        const data = BigInt64Array.of(1n, -5n, 2n ** 61n + 1n, -(2n ** 61n) - 1n);
        const [y] = await model.run([{ name: 'x', datatype: 'INT64', shape: [1, 4], data }]);
        expect(y).toEqual({ name: 'y', datatype: 'INT64', shape: [1, 4], data: data.map((value) => 2n * value) });
      }),
  },
  {
    name: 'gives half-precision numbers as their bits',
    mutant: 'widens half-precision numbers',
    run: (fixture) =>
      withModel(fixture, 'dtype-float16', async (model) => {
        const data = Uint16Array.of(0x3e00, 0xc080, 0x7bff, 0);
        const [y] = await model.run([{ name: 'x', datatype: 'FP16', shape: [1, 4], data }]);
        expect(y).toEqual({
          name: 'y',
          datatype: 'FP16',
          shape: [1, 4],
          data: Uint16Array.of(0x3a00, 0xbc80, 0x77ff, 0),
        });
      }),
  },
  {
    name: 'gives booleans as booleans',
    mutant: 'gives booleans as bytes',
    run: (fixture) =>
      withModel(fixture, 'dtype-bool', async (model) => {
        const answer = await model.run([{ name: 'x', datatype: 'BOOL', shape: [1, 3], data: [true, false, true] }]);
        expect(outputOf(answer, 'y').data).toEqual([false, true, false]);
        expect(outputOf(answer, 'n').data).toEqual(BigInt64Array.of(1n, 0n, 1n));
      }),
  },
  {
    name: 'keeps texts character for character',
    mutant: 'trims texts',
    run: (fixture) =>
      withModel(fixture, 'dtype-string-echo', async (model) => {
        const data = ['', ' naïve ✓ ', '𝄞', 'line\nbreak', 'quote"s', 'x'.repeat(10_000)];
        const [y] = await model.run([{ name: 'x', datatype: 'BYTES', shape: [6], data }]);
        expect(y).toEqual({ name: 'y', datatype: 'BYTES', shape: [6], data });
      }),
  },
  {
    name: 'gives NaN and infinities as they are',
    mutant: 'replaces what is not finite',
    run: (fixture) =>
      withModel(fixture, 'gives-nan-and-infinity', async (model) => {
        const [y] = await model.run([floats('x', [3], 0, 1, -1)]);
        expect(y?.data).toEqual(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
      }),
  },
  {
    name: 'answers an empty batch with empty outputs of the right rank',
    mutant: 'refuses an empty batch',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const answer = await model.run([floats('a', [0, 3]), floats('b', [0, 3])]);
        const sizes = answer.map(({ name, shape, data }) => [name, [...shape, data.length]]);
        expect(Object.fromEntries(sizes)).toEqual({
          sum: [0, 3, 0],
          difference: [0, 3, 0],
          a_greater: [0, 3, 0],
          total: [0, 0],
        });
      }),
  },
  {
    name: 'takes and gives a scalar without dimensions',
    mutant: 'gives a scalar a dimension',
    run: (fixture) =>
      withModel(fixture, 'scalar-rank-0', async (model) => {
        expect(await model.run([floats('x', [], 2)])).toEqual([floats('y', [], 4)]);
      }),
  },
  {
    name: 'gives each row what it gives that row alone',
    mutant: 'lets the rows of a batch influence each other',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const together = await model.run([
          floats('a', [2, 3], 1, -2, 3, 7, 8, 9),
          floats('b', [2, 3], 0.5, 4, 3, 1, 1, 1),
        ]);
        const second = await model.run([floats('a', [1, 3], 7, 8, 9), floats('b', [1, 3], 1, 1, 1)]);
        const apart = [oneRowAnswer, second].map((answer) => outputOf(answer, 'sum').data as Float32Array);
        expect(outputOf(together, 'sum').data).toEqual(Float32Array.from(apart.flatMap((part) => [...part])));
      }),
  },
  refusal('refuses an input that the model does not have', 'passes unknown inputs over', [
    ...oneRow,
    floats('c', [1], 1),
  ]),
  refusal('refuses a request without one of the inputs', 'fills in a missing input', [oneRow[0]], 'b'),
  refusal(
    'refuses an input that is given twice',
    'takes the last of two inputs of one name',
    [...oneRow, oneRow[1]],
    'b',
  ),
  refusal('refuses an input of another datatype', 'converts other datatypes', [
    oneRow[0],
    { name: 'b', datatype: 'FP64', shape: [1, 3], data: Float64Array.of(1, 2, 3) },
  ]),
  refusal('refuses data of another kind than the datatype says', 'converts other kinds of data', [
    oneRow[0],
    { name: 'b', datatype: 'FP32', shape: [1, 3], data: Int32Array.of(1, 2, 3) },
  ]),
  refusal('refuses another number of values than the shape says', 'cuts off values that are too many', [
    oneRow[0],
    floats('b', [1, 3], 1, 2, 3, 4),
  ]),
  refusal('refuses a shape of another rank', 'makes the rank fit', [oneRow[0], floats('b', [3], 1, 2, 3)]),
  refusal('refuses a size that differs from a fixed one', 'makes the size fit', [oneRow[0], floats('b', [1, 2], 1, 2)]),
  refusal('refuses inputs with different numbers of rows', 'repeats the rows that are fewer', [
    floats('a', [2, 3], 1, 2, 3, 4, 5, 6),
    oneRow[1],
  ]),
  {
    name: 'refuses more rows than a fixed batch holds',
    mutant: 'cuts a fixed batch off',
    run: (fixture) =>
      withModel(fixture, 'fixed-batch-4', async (model) => {
        const error = await errorOf(model.run([floats('x', [6, 5], ...Array<number>(30).fill(1))]));
        expect(error.code).toBe('INVALID_ARGUMENT');
      }),
  },
  {
    name: 'says in the error which tensor, what was expected and what came',
    mutant: 'says only that an input is invalid',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const shape = await errorOf(model.run([oneRow[0], floats('b', [1, 4], 1, 2, 3, 4)]));
        expect(shape.message).toMatch(/'b'.*-1, 3.*1, 4/);
        const type: Tensor = { name: 'b', datatype: 'INT8', shape: [1, 3], data: Int8Array.of(1, 2, 3) };
        expect((await errorOf(model.run([oneRow[0], type]))).message).toMatch(/'b'.*FP32.*INT8/);
      }),
  },
  {
    name: 'goes on after a run that was refused',
    mutant: 'breaks with a bad input',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        await errorOf(model.run([]));
        expect(outputOf(await model.run(oneRow), 'total').data).toEqual(Float32Array.of(2));
      }),
  },
  {
    name: 'gives each of many runs at once its own answer',
    mutant: 'mixes up runs at once',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const numbers = Array.from({ length: 50 }, (_, index) => index);
        const answers = await Promise.all(
          numbers.map((value) => model.run([floats('a', [1, 3], value, 0, 0), floats('b', [1, 3], 0, 0, 1)])),
        );
        expect(answers.map((answer) => outputOf(answer, 'total').data[0])).toEqual(numbers);
      }),
  },
  {
    name: 'leaves an answer alone when the model runs again',
    mutant: 'uses the memory of an answer again',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const answer = outputOf(await model.run(oneRow), 'total');
        const before = [...(answer.data as Float32Array)];
        await model.run([floats('a', [1, 3], 9, 9, 9), floats('b', [1, 3], 9, 9, 9)]);
        expect([...(answer.data as Float32Array)]).toEqual(before);
      }),
  },
  {
    name: 'leaves the inputs as they were',
    mutant: 'writes into its inputs',
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const input = floats('a', [1, 3], 5, 6, 7);
        await model.run([input, oneRow[1]]);
        expect(input.data).toEqual(Float32Array.of(5, 6, 7));
      }),
  },
  {
    name: 'refuses bad files with MODEL_REFUSED and the reason',
    mutant: 'calls a bad file an invalid argument',
    run: async ({ loadRefused, refusedFiles }) => {
      expect(refusedFiles.length).toBeGreaterThan(1);
      for (const { bytes, says } of refusedFiles) {
        const error = await errorOf(loadRefused(bytes));
        expect([error.code, error.message]).toEqual(['MODEL_REFUSED', expect.stringMatching(says)]);
      }
    },
  },
  {
    name: 'closes once the runs under way are over, and they end well',
    mutant: 'closes at once',
    run: async (fixture) => {
      const model = await fixture.load('two-in-four-out');
      const order: string[] = [];
      const run = model.run(oneRow).then((answer) => {
        order.push('run');
        return answer;
      });
      await Promise.all([run, model.close().then(() => order.push('close'))]);
      expect(order).toEqual(['run', 'close']);
      expect(outputOf(await run, 'total').data).toHaveLength(1);
    },
  },
  {
    name: 'refuses to run after close',
    mutant: 'runs after close',
    run: async (fixture) => {
      const model = await fixture.load('two-in-four-out');
      await model.close();
      expect((await errorOf(model.run(oneRow))).code).toBe('CLOSED');
    },
  },
  {
    name: 'closes twice without complaint',
    mutant: 'complains when it is closed twice',
    run: async (fixture) => {
      const model = await fixture.load('two-in-four-out');
      await Promise.all([model.close(), model.close()]);
      await model.close();
    },
  },
  {
    name: 'keeps models of the same file apart: one closes, the other runs',
    mutant: 'closes all models with one',
    run: async (fixture) => {
      const one = await fixture.load('two-in-four-out');
      await withModel(fixture, 'two-in-four-out', async (other) => {
        await one.close();
        expect(outputOf(await other.run(oneRow), 'total').data).toHaveLength(1);
      });
    },
  },
];

/** On `two-in-four-out`: INVALID_ARGUMENT that names the tensor, by default the last one. */
function refusal(
  name: string,
  mutant: string,
  inputs: readonly Tensor[],
  tensor = inputs.at(-1)?.name,
): ModelRuntimeCase {
  return {
    name,
    mutant,
    run: (fixture) =>
      withModel(fixture, 'two-in-four-out', async (model) => {
        const { code, details } = await errorOf(model.run(inputs));
        expect([code, details['tensor']]).toEqual(['INVALID_ARGUMENT', tensor]);
      }),
  };
}

async function withModel(
  fixture: ModelRuntimeFixture,
  name: ModelName,
  use: (model: LoadedModel) => Promise<unknown>,
): Promise<void> {
  const borrowed = await fixture.borrow?.(name);
  if (borrowed !== undefined) {
    await use(borrowed);
    return;
  }
  const model = await fixture.load(name);
  try {
    await use(model);
  } finally {
    await model.close();
  }
}

function outputOf(answer: readonly Tensor[], name: string): Tensor {
  const tensor = answer.find((output) => output.name === name);
  if (tensor === undefined) throw new Error(`no output '${name}'`);
  return tensor;
}

async function errorOf(promise: Promise<unknown>): Promise<MillraceError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
