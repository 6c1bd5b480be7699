/** Inference graphs by what they answer, tried in the process as a user's unit test does. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { LoadedModel, Tensor } from '../../../runtime/ports/index.ts';
import { createFunctionModel, type TrialRequest, tryDeployment } from '../../../runtime/testing/index.ts';
import { deployment, type Graph, graph, pipeline } from '../../../sdk/index.ts';

/** y = x · factor, FP32, of one column. */
function scale(factor: number): LoadedModel {
  return createFunctionModel({
    name: `scale-${factor}`,
    signature: {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
      batch: 'dynamic',
    },
    run: ({ x }) => [
      { ...(x as Tensor), name: 'y', data: Float32Array.from(x!.data as Float32Array, (value) => value * factor) },
    ],
  });
}

const models = { 'models:/ten/1': scale(10), 'models:/hundred/1': scale(100) } as const;

async function answer(built: Graph<string>, input: object | readonly object[], request: TrialRequest = {}) {
  const trial = await tryDeployment(deployment('d').route('main', built), { models });
  return await trial.predict(input as Record<string, unknown>, request);
}

describe('a graph', () => {
  it('runs transformer, models and combiner in order, side by side where nothing is between them', async () => {
    const { rows, path } = await answer(
      graph()
        .transformer('plus', ({ x }: { x: number }) => ({ x: x + 1 }))
        .model('ten', 'models:/ten/1', { inputs: ['plus'] })
        .model('hundred', 'models:/hundred/1', { inputs: ['plus'] })
        .combiner('mean', 'average', { inputs: ['ten', 'hundred'] })
        .outputTransformer('named', ({ y }: { y: number }, request: { x: number }) => ({ price: y, of: request.x })),
      [{ x: 1 }, { x: 3 }],
    );
    expect(rows).toEqual([
      { price: 110, of: 1 },
      { price: 220, of: 3 },
    ]);
    expect(path.map(({ node }) => node)).toEqual(['plus', 'ten', 'hundred', 'mean', 'named']);
  });

  it('takes rows as wide as an image through code', async () => {
    const values = 3 * 224 * 224;
    const halved = graph().transformer('halved', ({ x }: { x: number[] }) => ({ x: x.map((value) => value / 2) }));
    const { outputs } = await answer(halved, [{ x: Array.from({ length: values }, () => 1) }]);
    expect(outputs).toMatchObject([{ name: 'x', shape: [1, values] }]);
    expect((outputs[0]?.data as ArrayLike<number>)[values - 1]).toBe(0.5);
  });

  it("takes Tempo's pipeline as plain code, each row its own way, and says which models were asked", async () => {
    const tempo = pipeline({ first: 'models:/ten/1', second: 'models:/hundred/1' }, async (row, { first, second }) => {
      const a = await first(row);
      return a.y < 25 ? a : await second(row);
    });
    const { rows, outputs, path } = await answer(tempo, [{ x: 1 }, { x: 2 }, { x: 3 }]);
    expect(rows).toEqual([{ y: 10 }, { y: 20 }, { y: 300 }]);
    expect(outputs).toMatchObject([{ name: 'y', datatype: 'FP32', shape: [3, 1] }]);
    expect(path).toEqual([
      { node: 'pipeline/first', chose: [], rows: 3 },
      { node: 'pipeline/second', chose: [], rows: 1 },
      { node: 'pipeline', chose: [], rows: 3 },
    ]);
  });

  const routed = graph()
    .router('size', ['small', 'large'], ({ x }: { x: number }) => (x < 0 ? null : x < 2 ? 'small' : 'large'))
    .model('ten', 'models:/ten/1', { inputs: ['size/small'] })
    .model('hundred', 'models:/hundred/1', { inputs: ['size/large'] })
    .output(['ten', 'hundred']);

  it('follows the branch that a router chooses, row by row if need be', async () => {
    expect(await answer(routed, { x: 1 })).toMatchObject({
      rows: [{ y: 10 }],
      path: [{ node: 'size', chose: ['small'] }, { node: 'ten' }],
    });
    const { rows, path } = await answer(routed, [{ x: 1 }, { x: 2 }]);
    expect(rows).toEqual([{ y: 10 }, { y: 200 }]);
    expect(path[0]).toEqual({ node: 'size', chose: ['small', 'large'], rows: 2 });
  });

  it('fails by name when no branch leads to the output', async () => {
    await expect(answer(routed, { x: -1 })).rejects.toMatchObject({
      code: 'NO_ANSWER',
      message: 'no node led to the output; these ran: size',
    });
  });

  it('runs a node only if the tensor is there that it waits for', async () => {
    const built = graph()
      .transformer('look', ({ x }: { x: number }) => ({ fine: x > 0 ? x : undefined, odd: x > 0 ? undefined : x }))
      .model('ten', 'models:/ten/1', { inputs: ['look.fine'] })
      .transformer('sorry', ({ odd }: { odd: number }) => ({ y: odd }), { inputs: ['look.odd'] })
      .output(['ten', 'sorry']);
    expect((await answer(built, { x: 2 })).path.map(({ node }) => node)).toEqual(['look', 'ten']);
    expect((await answer(built, { x: -2 })).path.map(({ node }) => node)).toEqual(['look', 'sorry']);
  });

  it('joins all, any and some of its inputs', async () => {
    const built = (join: 'all' | 'any' | 'some') =>
      graph()
        .router('both', ['a', 'b', 'c'], ({ x }: { x: number }) => (x === 1 ? ['b', 'c'] : ['a', 'b', 'c']))
        .transformer('one', () => ({ one: 1 }), { inputs: ['both/a'] })
        .transformer('two', () => ({ two: 2 }), { inputs: ['both/b'] })
        .transformer('three', () => ({ three: 3 }), { inputs: ['both/c'] })
        .transformer('last', (row: object) => ({ names: Object.keys(row).join() }), {
          inputs: ['one', 'two', 'three'],
          join,
        });
    expect((await answer(built('all'), { x: 0 })).rows).toEqual([{ names: 'one,two,three' }]);
    await expect(answer(built('all'), { x: 1 })).rejects.toMatchObject({ code: 'NO_ANSWER' });
    expect((await answer(built('any'), { x: 1 })).rows).toEqual([{ names: 'two' }]);
    expect((await answer(built('some'), { x: 1 })).rows).toEqual([{ names: 'two,three' }]);
  });

  it('waits for a trigger without taking its data', async () => {
    const built = graph()
      .transformer('check', ({ x }: { x: number }) => (x > 0 ? { ok: 1 } : { bad: 1 }))
      .model('ten', 'models:/ten/1', { inputs: ['input'], triggers: ['check.ok'] });
    expect((await answer(built, { x: 2 })).rows).toEqual([{ y: 20 }]);
    await expect(answer(built, { x: -2 })).rejects.toMatchObject({ code: 'NO_ANSWER' });
  });

  it('takes several inputs and outputs by tensor name, renamed where need be', async () => {
    const built = graph()
      .model('ten', 'models:/ten/1', { inputs: [{ from: 'input.b', as: 'x' }] })
      .model('hundred', 'models:/hundred/1', { inputs: [{ from: 'input.a', as: 'x' }] })
      .output(
        [
          { from: 'ten.y', as: 'b10' },
          { from: 'hundred.y', as: 'a100' },
        ],
        { join: 'all' },
      );
    const trial = await tryDeployment(deployment('d').route('main', built), { models });
    const fp32 = (name: string, value: number): Tensor => ({
      name,
      datatype: 'FP32',
      shape: [1, 1],
      data: Float32Array.of(value),
    });
    const { rows } = await trial.predict({ tensors: [fp32('a', 1), fp32('b', 2)] });
    expect(rows).toEqual([{ b10: 20, a100: 100 }]);
  });

  it('repeats a graph within the graph on its own output, up to a bound', async () => {
    const doubling = (maxRounds: number) =>
      graph().subgraph(
        'loop',
        graph().transformer('double', ({ x }: { x: number }) =>
          x * 2 < 100 ? { x: x * 2, again: true } : { x: x * 2 },
        ),
        { repeat: { while: 'again', maxRounds } },
      );
    const { rows, path } = await answer(doubling(10), { x: 3 });
    expect(rows).toEqual([{ x: 192 }]);
    expect(path.filter(({ node }) => node === 'loop/double')).toHaveLength(6);
    expect((await answer(doubling(10), [{ x: 3 }, { x: 60 }])).rows).toEqual([{ x: 192 }, { x: 120 }]);
    await expect(answer(doubling(5), { x: 3 })).rejects.toThrow(
      "node 'loop': it asked for another round ('again') after 5, the most allowed",
    );
  });

  it('draws branches by the prediction id, or by the entity', async () => {
    const split = (kind: 'random' | 'hash') =>
      graph()
        .router('split', [{ name: 'a', weight: 3 }, 'b'], kind)
        .transformer('left', () => ({ side: 'a' }), { inputs: ['split/a'] })
        .transformer('right', () => ({ side: 'b' }), { inputs: ['split/b'] })
        .output(['left', 'right']);
    const sides = async (kind: 'random' | 'hash', requests: readonly TrialRequest[]) => {
      const trial = await tryDeployment(deployment('d').route('main', split(kind)), { models });
      const answers = await Promise.all(requests.map((request) => trial.predict({ x: 1 }, request)));
      return answers.map(({ rows }) => rows[0]!['side']);
    };
    const many = Array.from({ length: 400 }, (_, i) => ({ predictionId: `p${i}`, entity: 'same' }));
    const drawn = await sides('random', many);
    const share = drawn.filter((side) => side === 'a').length / many.length;
    expect(share).toBeGreaterThan(0.68);
    expect(share).toBeLessThan(0.82);
    expect(await sides('random', many)).toEqual(drawn);
    expect(new Set(await sides('hash', many)).size).toBe(1);
  });

  it('names the node that fails, however deep', async () => {
    const built = graph().subgraph(
      'outer',
      graph().transformer('inner', () => {
        throw new Error('no luck');
      }),
    );
    await expect(answer(built, { x: 1 })).rejects.toMatchObject({
      code: 'USER_CODE_FAILED',
      message: "node 'outer/inner': its code threw: no luck",
      details: { node: 'outer/inner' },
    });
    await expect(
      answer(
        graph().transformer('t', () => 7 as never),
        { x: 1 },
      ),
    ).rejects.toThrow("node 't': the code must give an object of values by tensor name, like { label: 1 }, got number");
    const wrong = graph()
      .transformer('t', () => ({ x: [1, 2] }))
      .model('ten', 'models:/ten/1');
    await expect(answer(wrong, { x: 1 })).rejects.toThrow(
      /node 'ten': input 'x': shape must be \[-1, 1\] .*got \[1, 2\]/,
    );
  });

  it('runs ONNX models of scikit-learn with code that decides on their labels', async () => {
    const file = (name: string) => readFile(new URL(`../../models/${name}.onnx`, import.meta.url));
    const iris = deployment('iris').route(
      'main',
      pipeline({ logreg: 'models:/iris/1', svc: 'models:/iris/2' }, async (row, { logreg, svc }) => {
        const a = await logreg(row);
        return a.label === 1 ? { label: a.label, by: 'logreg' } : { label: (await svc(row)).label, by: 'svc' };
      }),
    );
    const trial = await tryDeployment(iris, {
      models: { 'models:/iris/1': await file('iris-logreg'), 'models:/iris/2': await file('iris-svc') },
    });
    const x: Tensor = {
      name: 'X',
      datatype: 'FP32',
      shape: [2, 4],
      data: Float32Array.of(5.1, 3.5, 1.4, 0.2, 5.8, 2.7, 3.9, 1.2),
    };
    expect((await trial.predict({ tensors: [x] })).rows).toEqual([
      { label: 0, by: 'svc' },
      { label: 1, by: 'logreg' },
    ]);
    await trial.close();
  });

  it('says which models a trial lacks', async () => {
    await expect(tryDeployment(deployment('d').route('main', 'models:/other/1'), { models })).rejects.toThrow(
      'models of the trial lack models:/other/1',
    );
  });
});
