import { describe, expect, it } from 'vitest';
import { deploymentProblems } from '../../schemas/deployment-problems.ts';
import { deployment, graph, parseDeployment } from '../../sdk/deployment/index.ts';

const problemsOf = (yaml: string): readonly string[] => {
  try {
    parseDeployment(`name: d\nroutes:\n  - name: main\n    graph:\n${yaml}`);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n  ').slice(1);
  }
};

describe('a graph in YAML', () => {
  it('is the same as in TypeScript, with defaults left out', () => {
    const typed = deployment('d').route(
      'main',
      graph()
        .router('split', ['a', { name: 'b', weight: 2 }], 'random')
        .model('forest', 'models:/iris/1', { inputs: ['split/a'] })
        .model('trees', 'models:/iris/2', {
          inputs: ['split/b'],
          join: 'any',
          triggers: ['input.ready'],
          joinWindowMs: 30,
        })
        .output(['forest', 'trees'], { join: 'some', joinWindowMs: 50 }),
    );
    const text = `
      nodes:
        - { name: split, kind: router, builtin: random, branches: [a, { name: b, weight: 2 }] }
        - { name: forest, kind: model, model: models:/iris/1, inputs: split/a }
        - { name: trees, kind: model, model: models:/iris/2, inputs: [split/b], join: any, triggers: [input.ready], joinWindowMs: 30 }
      output: { from: [forest, trees], join: some, joinWindowMs: 50 }`;
    expect(parseDeployment(`name: d\nroutes:\n  - name: main\n    graph:\n${text}`)).toEqual(typed.spec());
  });

  it('lists all that is wrong at once, each by its node and with the fix', () => {
    expect(
      problemsOf(`
      nodes:
        - { name: input, kind: model, model: models:/iris/1 }
        - { name: a, kind: modle }
        - { name: b, kind: model, model: iris }
        - { name: c, kind: router, branches: [x, x] }
        - { name: d, kind: transformer, code: ./d.ts#d, timeoutMs: 0, colour: red }
        - { name: e, kind: combiner, builtin: average, inputs: [input] }
        - { name: f, kind: function, code: f, models: { 'not ok': models:/iris/1 } }`),
    ).toEqual([
      "route 'main', node 'input': 'input' is the request: choose another name",
      "route 'main', node 'a': kind must be one of model, transformer, output-transformer, function, router, combiner, graph",
      expect.stringMatching(/^route 'main', node 'b': model must match pattern .*, got "iris"$/),
      "route 'main', node 'c': it needs either code or builtin (random or hash), got neither",
      "route 'main', node 'c': branch 'x' is there twice: rename one",
      "route 'main', node 'd': colour is not a known property; known are kind, name, inputs, join, triggers, triggerJoin, joinWindowMs, code, timeoutMs, memoryMb",
      "route 'main', node 'd': timeoutMs must be >= 1, got 0",
      "route 'main', node 'e': a combiner needs at least two inputs, got 1",
      "route 'main', node 'f': names of models must be like variables, got not ok",
    ]);
  });

  it.each([
    ['a reference to nothing', 'inputs: [b]', "node 'm': there is no node 'b'; there are input, s, m"],
    ['a router without its branch', 'inputs: [s]', "node 'm': 's' is a router: name one of its branches, s/a or s/b"],
    ['an unknown branch', 'inputs: [s/c]', "node 'm': router 's' has no branch 'c'; it has a, b"],
    [
      'a branch of what is no router',
      'inputs: [input/a]',
      "node 'm': 'input' is no router: write 'input' or 'input.<tensor>'",
    ],
    [
      'a new name for several tensors',
      'inputs: [{ from: s/a, as: x }]',
      "node 'm': 's/a' stands for several tensors and cannot be called 'x': name one, s/a.<tensor>",
    ],
    [
      'a window that is no time',
      'inputs: [s/a, input], joinWindowMs: -5',
      "node 'm': joinWindowMs must be >= 1, got -5",
    ],
    [
      'a window longer than a minute',
      'inputs: [s/a, input], joinWindowMs: 60001',
      "node 'm': joinWindowMs must be <= 60000, got 60001",
    ],
    [
      'a window where nothing is waited for beside the first',
      'inputs: [s/a], triggers: [s/b], join: any, joinWindowMs: 5',
      "node 'm': joinWindowMs is for what comes from several nodes, here all comes from 's': remove it",
    ],
    ['a branch that leads nowhere', 'inputs: [s/a]', "node 's': nothing follows its branch b: let a node take 's/b'"],
    [
      'itself',
      'inputs: [m], triggers: [s/a, s/b]',
      ': m → m is a circle: put these nodes into a node of kind graph with repeat {while, maxRounds}',
    ],
  ])('refuses %s', (_, inputs, problem) => {
    const text = `
      nodes:
        - { name: s, kind: router, builtin: hash, branches: [a, b] }
        - { name: m, kind: model, model: models:/iris/1, ${inputs} }`;
    expect(problemsOf(text)).toContain(`route 'main'${problem.startsWith(':') ? '' : ', '}${problem}`);
  });

  it('refuses a node whose answer goes nowhere, two of one name, and a circle of several', () => {
    expect(
      problemsOf(`
      nodes:
        - { name: a, kind: model, model: models:/iris/1 }
        - { name: b, kind: model, model: models:/iris/1, inputs: input }`),
    ).toEqual([
      "route 'main', node 'a': its answer goes nowhere: name it in the inputs of another node or in output, or remove it",
    ]);
    expect(
      problemsOf(`
      nodes:
        - { name: a, kind: model, model: models:/iris/1, inputs: b }
        - { name: b, kind: model, model: models:/iris/1, inputs: a }
        - { name: b, kind: model, model: models:/iris/1, inputs: a }`),
    ).toEqual(["route 'main', node 'b': another node has this name: rename one"]);
    expect(
      problemsOf(`
      nodes:
        - { name: a, kind: model, model: models:/iris/1, inputs: b }
        - { name: b, kind: model, model: models:/iris/1, inputs: a }`),
    ).toEqual([
      "route 'main': a → b → a is a circle: put these nodes into a node of kind graph with repeat {while, maxRounds}",
    ]);
  });

  it('is judged where it lands too: what is not pinned by hash is refused', () => {
    const { routes, ...rest } = deployment('d')
      .route(
        'main',
        graph().transformer('t', () => ({ y: 1 })),
      )
      .spec();
    expect(deploymentProblems({ ...rest, routes })).toEqual([
      "route 'main', node 't': code must have required properties hash",
    ]);
  });
});
