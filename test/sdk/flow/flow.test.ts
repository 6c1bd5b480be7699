import { describe, expect, it } from 'vitest';
import hello from '../../../examples/hello/flow.ts';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import type { FlowGraph } from '../../../schemas/flow-graph.ts';
import { flow } from '../../../sdk/index.ts';

const code = (chain: unknown): FlowCode => chain as FlowCode;
const graphOf = (chain: unknown): FlowGraph => code(chain).graph as FlowGraph;

describe('a flow as a graph', () => {
  it('is plain JSON with steps in order, each in its scope', () => {
    const graph = graphOf(hello);
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph);
    expect(graph.steps.map(({ name, kind, scope }) => [name, kind, scope])).toEqual([
      ['greet', 'step', ''],
      ['say', 'branch', ''],
      ['say.loud', 'step', 'say.loud'],
      ['say.twice.repeat', 'step', 'say.twice'],
      ['say.twice.glue', 'step', 'say.twice'],
      ['collect', 'join', ''],
    ]);
    expect(graph.parameters).toEqual({
      name: { type: 'string', default: 'world', required: false, help: 'whom to greet' },
    });
    expect(code(hello).triggers).toEqual([{ event: 'hello-wanted', parameters: { name: 'person' } }]);
  });

  it('nests branches in branches', () => {
    const graph = graphOf(
      flow('nested')
        .branch('outer', {
          left: (branch) =>
            branch.branch('inner', { a: () => ({ n: 1 }), b: () => ({ n: 2 }) }).join('meet', ({ a }) => a),
          right: () => ({ m: 1 }),
        })
        .join('end', () => ({})),
    );
    expect(graph.steps.map(({ name, scope }) => [name, scope])).toEqual([
      ['outer', ''],
      ['outer.left.inner', 'outer.left'],
      ['outer.left.inner.a', 'outer.left.inner.a'],
      ['outer.left.inner.b', 'outer.left.inner.b'],
      ['outer.left.meet', 'outer.left'],
      ['outer.right', 'outer.right'],
      ['end', ''],
    ]);
  });

  it('keeps retry and timeout of a step', () => {
    const graph = graphOf(flow('kept').step('one', () => ({}), { retry: { times: 2, backoffMs: 50 }, timeoutMs: 700 }));
    expect(graph.steps[0]).toMatchObject({ retry: { times: 2, backoffMs: 50 }, timeoutMs: 700 });
  });

  it.each<[string, () => unknown, RegExp]>([
    ['no step', () => flow('f'), /has no step: add/],
    [
      'two steps of one name',
      () =>
        flow('f')
          .step('a', () => ({}))
          .step('a', () => ({})),
      /two steps called 'a': rename/,
    ],
    ['a reserved name', () => flow('f').step('join', () => ({})), /'join' has a reserved name/],
    ['a name with a dot', () => flow('f').step('a.b', () => ({})), /step 'a.b' must be named by/],
    ['an unjoined branch', () => flow('f').branch('b', { x: () => ({}) }), /branch 'b' is not joined: add .join/],
    [
      'an unjoined branch in a branch',
      () =>
        flow('f')
          .branch('b', { x: (branch) => branch.branch('c', { y: () => ({}) }) as never })
          .join('j', () => ({})),
      /branch 'c' is not joined/,
    ],
    [
      'no branches',
      () =>
        flow('f')
          .branch('b', {})
          .join('j', () => ({})),
      /branch 'b' has no branches/,
    ],
    ['too many retries', () => flow('f').step('a', () => ({}), { retry: 99 }), /'a': retry.times must be/],
    [
      'a bad default',
      () =>
        flow('f')
          .parameter('n', { type: 'integer', default: 1.5 })
          .step('a', () => ({})),
      /must be an integer/,
    ],
    ['a bad flow name', () => flow('9'), /flow '9' must be named by/],
  ])('refuses %s and says the fix', (_, build, message) => {
    expect(() => graphOf(build())).toThrow(message);
  });
});

describe('running a step', () => {
  const call = (step: string, more: object = {}) =>
    code(hello).runStep({
      step,
      artifacts: {},
      inputs: [],
      hashes: {},
      configuration: {},
      stack: [],
      gang: undefined,
      end: undefined,
      parameters: { name: 'you' },
      runId: 'r',
      taskId: step,
      attempt: 1,
      idempotencyKey: 'k',
      signal: new AbortController().signal,
      folder: '/nowhere',
      ...more,
    });

  it('gives artifacts and parameters, and takes what is returned', async () => {
    expect((await call('greet')).artifacts).toEqual({ greeting: 'hello you' });
    expect((await call('say.twice.glue', { artifacts: { parts: ['a', 'b'] } })).artifacts).toEqual({ text: 'a, b' });
  });

  it('gives a join its branches and what was before them', async () => {
    const { artifacts } = await call('collect', {
      artifacts: { greeting: 'hi' },
      inputs: [
        { branch: 'loud', artifacts: { text: 'HI' }, hashes: {} },
        { branch: 'twice', artifacts: { text: 'hi, hi' }, hashes: {} },
      ],
    });
    expect(artifacts).toEqual({ said: ['hi', 'HI', 'hi, hi'] });
  });

  it('refuses a result that is no object, and says so', async () => {
    const chain = code(flow('f').step('a', () => [1] as object));
    await expect(chain.runStep({ step: 'a', inputs: [], stack: [], artifacts: {} } as never)).rejects.toThrow(
      "step 'a' returned a list: return an object",
    );
  });

  it('collects models to register, and refuses a metric that is no number', async () => {
    const chain = code(
      flow('f')
        .step('a', (_, { models }) =>
          models.register('m', { onnx: new Uint8Array([1]), metrics: { error: 1 }, alias: 'best' }),
        )
        .step('b', (_, { models }) =>
          models.register('m', { onnx: new Uint8Array([1]), metrics: { error: Number.NaN } }),
        ),
    );
    const empty = { inputs: [], stack: [], artifacts: {} } as never as Parameters<FlowCode['runStep']>[0];
    expect((await chain.runStep({ ...empty, step: 'a' })).models).toEqual([
      {
        model: 'm',
        onnx: new Uint8Array([1]),
        metrics: { error: 1 },
        tags: {},
        alias: 'best',
        attached: {},
        description: '',
      },
    ]);
    await expect(chain.runStep({ ...empty, step: 'b' })).rejects.toThrow("metric 'error' must be a finite number");
  });
});
