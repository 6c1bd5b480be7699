/** Joins that wait for a stated time, and the record of what they went on without. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../runtime/inference-graph/evaluate.ts';
import { callCode, type CodeFunction } from '../../../runtime/inference-graph/call-code.ts';
import type { GraphServices } from '../../../runtime/inference-graph/graph-services.ts';
import { type LoadedModel, MillraceError, systemClock, type Tensor } from '../../../runtime/ports/index.ts';
import { createFunctionModel, type TrialRequest, tryDeployment } from '../../../runtime/testing/index.ts';
import type { Join, LeftOut } from '../../../schemas/inference-graph.ts';
import { deployment, type Graph, graph, type Row } from '../../../sdk/index.ts';

/** y = x · factor of one column; each call waits until `open` says so, or for ever. */
class Gated {
  calls = 0;
  open = Promise.resolve();
  readonly model: LoadedModel;

  constructor(factor: number) {
    this.model = createFunctionModel({
      name: 'gated',
      signature: {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
        batch: 'dynamic',
      },
      run: async ({ x }) => {
        this.calls += 1;
        await this.open;
        return [{ ...x!, name: 'y', data: Float32Array.from(x!.data as Float32Array, (value) => value * factor) }];
      },
    });
  }
}

const never = new Promise<void>(() => undefined);

async function ask(
  built: Graph<string>,
  request: TrialRequest & { readonly slow?: Promise<void> } = {},
  input: object = { x: 1 },
) {
  const [fast, slow] = [new Gated(10), new Gated(100)];
  slow.open = request.slow ?? never;
  const models = { 'models:/fast/1': fast.model, 'models:/slow/1': slow.model };
  const trial = await tryDeployment(deployment('d').route('main', built), { models });
  const { rows, path, leftOut } = await trial.predict(input as Record<string, unknown>, request);
  return { rows, nodes: path.map(({ node }) => node), leftOut, slowCalls: slow.calls };
}

/** Both models at once, and what `join` makes of them. */
const both = (join: Join, joinWindowMs: number, inputs: readonly ('fast' | 'slow')[] = ['fast', 'slow']) =>
  graph()
    .model('fast', 'models:/fast/1', { inputs: ['input'] })
    .model('slow', 'models:/slow/1', { inputs: ['input'] })
    .combiner('mean', 'average', { inputs, join, joinWindowMs });

describe('a join within a window', () => {
  it('goes on with what is there when the window closes, says what it left out, and nothing of that node', async () => {
    expect(await ask(both('some', 5))).toEqual({
      rows: [{ y: 10 }],
      nodes: ['fast', 'mean'],
      leftOut: [{ node: 'mean', input: 'slow', rows: [] }],
      slowCalls: 1,
    });
  });

  it('takes what comes before it closes, and then does not wait for its end', async () => {
    let open = (): void => undefined;
    const slow = new Promise<void>((resolve) => (open = resolve));
    setImmediate(() => open());
    expect(await ask(both('some', 60_000), { slow })).toMatchObject({
      ...{ rows: [{ y: 55 }], nodes: ['fast', 'slow', 'mean'], leftOut: [] },
    });
  });

  it('opens when the first is there, and not before', async () => {
    const windows: number[] = [];
    const clock = {
      after: (ms: number, callback: () => void) => {
        windows.push(ms);
        setImmediate(callback);
        return () => undefined;
      },
    };
    let opened = (): void => undefined;
    const gate = new Promise<void>((resolve) => (opened = resolve));
    const x: Tensor = { name: 'x', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(1) };
    const services = {
      runModel: async (model: string) => {
        await (model === 'models:/fast/1' ? gate : never);
        return { outputs: [x], rows: 1, queueMs: 0, runMs: 0 };
      },
    } as unknown as GraphServices<string, { readonly function: string }>;
    const request = { inputs: [x], predictionId: 'p', entity: 'e' };
    const answer = evaluateGraph(both('some', 7).spec(), request, services, { clock });
    await new Promise(setImmediate);
    expect(windows).toEqual([]);
    opened();
    expect((await answer).leftOut).toEqual([{ node: 'mean', input: 'slow', rows: [] }]);
    expect(windows).toEqual([7]);
  });

  it('all: a node that lacks an input then does not run, so that another way may lead to the output', async () => {
    const built = both('all', 5).output(['mean', 'fast']);
    expect(await ask(built)).toMatchObject({
      ...{ rows: [{ y: 10 }], nodes: ['fast', 'mean'].slice(0, 1) },
      leftOut: [{ node: 'mean', input: 'slow' }],
    });
  });

  it('fails with what was not there, and how to mend it, when no way leads to the output', async () => {
    await expect(ask(both('all', 5))).rejects.toMatchObject({
      code: 'TIMEOUT',
      message:
        "no node led to the output; these ran: fast; not there within joinWindowMs: 'slow' of 'mean'; widen the window, or let another way lead to the output",
    });
  });

  it('any: waits for those in front of the first that is there, and not for those behind it', async () => {
    expect(await ask(both('any', 60_000))).toMatchObject({ rows: [{ y: 10 }], nodes: ['fast', 'mean'], leftOut: [] });
    const slowFirst = both('any', 5, ['slow', 'fast']);
    expect(await ask(slowFirst)).toMatchObject({
      ...{ rows: [{ y: 10 }], nodes: ['fast', 'mean'] },
      leftOut: [{ node: 'mean', input: 'slow' }],
    });
    const patient = both('any', 60_000, ['slow', 'fast']);
    const slow = new Promise<void>((resolve) => setImmediate(resolve));
    expect(await ask(patient, { slow })).toMatchObject({ rows: [{ y: 100 }], nodes: ['slow', 'mean'], leftOut: [] });
  });

  it('is one of the output too', async () => {
    const built = graph()
      .model('fast', 'models:/fast/1', { inputs: ['input'] })
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .output(['slow', 'fast'], { joinWindowMs: 5 });
    expect(await ask(built)).toMatchObject({
      ...{ rows: [{ y: 10 }], nodes: ['fast'], leftOut: [{ node: '', input: 'slow', rows: [] }] },
    });
  });

  it('keeps a trigger that is late from counting', async () => {
    const built = graph()
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .model('fast', 'models:/fast/1', { inputs: ['input'], triggers: ['slow'], joinWindowMs: 5 });
    await expect(ask(built)).rejects.toThrow("not there within joinWindowMs: 'slow' of 'fast'");
  });

  it('lets nobody wait for a node that leads to a late input alone, nor hear of its failure', async () => {
    let fail = (): void => undefined;
    const slow = new Promise<void>((_, reject) => (fail = () => reject(new MillraceError('INTERNAL', 'too late'))));
    const built = graph()
      .model('fast', 'models:/fast/1', { inputs: ['input'] })
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .transformer('behind', (row: Row) => row, { inputs: ['slow'] })
      .combiner('mean', 'average', { inputs: ['fast', 'behind'], join: 'some', joinWindowMs: 5 });
    const answer = await ask(built, { slow });
    fail();
    await new Promise(setImmediate);
    expect(answer).toMatchObject({ nodes: ['fast', 'mean'], leftOut: [{ node: 'mean', input: 'behind' }] });
    // One that fails while it is waited for is a failure.
    const failed = Promise.reject(new MillraceError('INTERNAL', 'in time'));
    failed.catch(() => undefined);
    await expect(ask(both('some', 60_000), { slow: failed })).rejects.toThrow("node 'slow': in time");
    const shared = graph()
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .transformer('behind', (row: Row) => row, { inputs: ['slow'] })
      .combiner('mean', 'average', { inputs: ['slow', 'behind'], join: 'some', joinWindowMs: 60_000 });
    const leftOut = [{ node: 'mean', input: 'behind' }];
    await expect(ask(shared, { slow: failed, leftOut })).rejects.toThrow("node 'slow': in time");
  });

  it('does not record a node that everybody left out, though it ended before the answer', async () => {
    let open = (): void => undefined;
    const slow = new Promise<void>((resolve) => (open = resolve));
    const built = graph()
      .model('fast', 'models:/fast/1', { inputs: ['input'] })
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .combiner('mean', 'average', { inputs: ['fast', 'slow'], join: 'some', joinWindowMs: 5 })
      .transformer('then', async ({ y }: { y: number }) => {
        open();
        await new Promise(setImmediate);
        return { y };
      });
    expect(await ask(built, { slow })).toMatchObject({ nodes: ['fast', 'mean', 'then'], slowCalls: 1 });
  });

  it('records a node that another waited for, though one left it out', async () => {
    let open = (): void => undefined;
    const slow = new Promise<void>((resolve) => (open = resolve));
    const built = graph()
      .model('fast', 'models:/fast/1', { inputs: ['input'] })
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .transformer('early', (row: { y: number }) => (open(), { early: row.y }), {
        inputs: ['fast', 'slow'],
        ...{ join: 'some', joinWindowMs: 5 },
      })
      .transformer('late', ({ early, y }: { early: number; y: number }) => ({ early, y }), {
        inputs: ['early', 'slow'],
      });
    expect(await ask(built, { slow })).toMatchObject({
      ...{ rows: [{ early: 10, y: 100 }], nodes: ['fast', 'slow', 'early', 'late'] },
      leftOut: [{ node: 'early', input: 'slow' }],
    });
  });
});

describe('what was left out', () => {
  it('decides in the place of time when it is said, and what nobody takes does not run', async () => {
    const leftOut = [{ node: 'mean', input: 'slow' }];
    expect(await ask(both('some', 60_000), { leftOut })).toEqual({
      ...{ rows: [{ y: 10 }], nodes: ['fast', 'mean'], slowCalls: 0 },
      leftOut: [{ node: 'mean', input: 'slow', rows: [] }],
    });
    const slow = new Promise<void>((resolve) => setTimeout(resolve, 20));
    expect(await ask(both('some', 1), { leftOut: [], slow })).toMatchObject({ rows: [{ y: 55 }], leftOut: [] });
    const misspelt = ask(both('some', 60_000), { leftOut: [{ node: 'mean', input: 'slwo' }], slow: Promise.resolve() });
    await expect(misspelt).rejects.toThrow("nothing waited for input 'slwo' of node 'mean'");
  });

  /** The model `slow` never answers where `isStuck` says so; calls are those of the slow one. */
  async function evaluated(
    built: Graph<string>,
    values: readonly number[],
    isStuck: (x: readonly number[]) => boolean,
    record?: readonly LeftOut[],
  ) {
    const calls: (readonly number[])[] = [];
    const services: GraphServices<string, { readonly function: string }> = {
      runModel: async (model, [x]) => {
        const numbers = [...(x!.data as Float32Array)].map(Number);
        if (model === 'models:/slow/1') {
          calls.push(numbers);
          if (isStuck(numbers)) await never;
        }
        const factor = model === 'models:/slow/1' ? 100 : 10;
        const y: Tensor = {
          ...x!,
          name: 'y',
          datatype: 'FP32',
          data: Float32Array.from(numbers, (value) => value * factor),
        };
        return { outputs: [y], rows: numbers.length, queueMs: 0, runMs: 0 };
      },
      runCode: (call) => callCode(built.functions.get(call.code.function) as CodeFunction, call),
    };
    const x: Tensor = { name: 'x', datatype: 'FP32', shape: [values.length, 1], data: Float32Array.from(values) };
    const windows = record === undefined ? { clock: systemClock } : { leftOut: record };
    const request = { inputs: [x], predictionId: 'p', entity: 'e' };
    const { outputs, leftOut, steps } = await evaluateGraph(built.spec(), request, services, windows);
    const nodes = steps.map(({ node, chose }) => [node, ...chose].join(' '));
    return { answer: { values: outputs.map(({ data }) => [...data].map(Number)), leftOut, nodes }, calls };
  }

  it('names the round of a graph that repeats, and the same record gives the same answer', async () => {
    const round = graph()
      .model('fast', 'models:/fast/1', { inputs: ['input'] })
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .combiner(
        'sum',
        ({ fast, slow }: { fast: { y: number }; slow?: { y: number } }) => {
          const x = fast.y + (slow?.y ?? 0);
          return x < 500 ? { x, again: true } : { x };
        },
        { inputs: ['fast', 'slow'], join: 'some', joinWindowMs: 20 },
      );
    const loop = graph().subgraph('loop', round, { repeat: { while: 'again', maxRounds: 9 } });
    const { answer, calls } = await evaluated(loop, [1], ([x]) => x === 1);
    expect(answer).toEqual({
      values: [[1_100]],
      leftOut: [{ node: 'loop:1/sum', input: 'slow', rows: [] }],
      nodes: ['loop/fast', 'loop/sum', 'loop/fast', 'loop/slow', 'loop/sum', 'loop'],
    });
    expect(calls).toEqual([[1], [10]]);
    const again = await evaluated(loop, [1], () => false, answer.leftOut);
    expect(again).toEqual({ answer, calls: [[10]] });
  });

  it('names the rows that were evaluated apart, and the same record gives the same answer', async () => {
    const apart = graph()
      .router('way', ['low', 'high'], ({ x }: { x: number }) => (x < 2 ? 'low' : 'high'))
      .model('fast', 'models:/fast/1', { inputs: ['input'] })
      .model('slow', 'models:/slow/1', { inputs: ['input'] })
      .combiner('mean', 'average', { inputs: ['fast', 'slow'], join: 'some', joinWindowMs: 20 })
      .transformer('low', ({ y }: { y: number }) => ({ y }), { inputs: ['mean'], triggers: ['way/low'] })
      .transformer('high', ({ y }: { y: number }) => ({ y: -y }), { inputs: ['mean'], triggers: ['way/high'] })
      .output(['low', 'high']);
    const stuck = (x: readonly number[]): boolean => x.length === 1 && x[0] === 2;
    const { answer } = await evaluated(apart, [1, 2, 3], stuck);
    expect(answer.values).toEqual([[55, -20, -165]]);
    expect(answer.leftOut).toEqual([{ node: 'mean', input: 'slow', rows: [1] }]);
    const again = await evaluated(apart, [1, 2, 3], () => false, answer.leftOut);
    expect(again).toEqual({ answer, calls: [[1], [3]] });
  });
});
