/** Checked by the compiler alone: an `@ts-expect-error` that finds no error is one. */
import { artifact, flow } from '../../../sdk/index.ts';

const base = flow('types')
  .parameter('seed', { type: 'integer', default: 40 })
  .parameter('path', { type: 'string' })
  .parameter('rate', { type: 'number', required: true })
  .step('load', (_, { parameters }) => {
    const seed: number = parameters.seed;
    const rate: number = parameters.rate;
    const path: string | null = parameters.path;
    // @ts-expect-error a parameter that may be absent is null
    const sure: string = parameters.path;
    // @ts-expect-error there is no such parameter
    parameters.sed;
    return { rows: [seed, rate], path, sure };
  });

base
  .step('fit', ({ rows }) => ({ sum: rows.reduce((a, b) => a + b, 0) }))
  .step('use', ({ sum, rows }) => {
    const total: number = sum;
    // @ts-expect-error rows are numbers
    const text: string = rows[0];
    return { total, text };
  });

// @ts-expect-error misspelt artifact
base.step('fit', ({ rowz }) => ({ rowz }));

// @ts-expect-error a step answers an object
base.step('fit', () => 5);

base.step('async', async ({ rows }) => ({ n: rows.length })).step('next', ({ n }) => ({ half: n / 2 }));

base.step('nothing', () => undefined).step('still', ({ rows }) => ({ n: rows.length }));

// a name that is written again takes the new type
base.step('again', () => ({ rows: 'text' })).step('see', ({ rows }) => ({ big: rows.toUpperCase() }));

const branched = base.branch('train', {
  linear: ({ rows }) => ({ error: rows.length }),
  forest: (branch) =>
    branch
      .step('grow', ({ rows }) => ({ trees: rows.length }))
      .step('prune', ({ trees, rows }) => ({ error: trees + rows.length })),
});

// @ts-expect-error branches must be joined first
branched.step('early', () => ({}));

branched
  .join('choose', ({ linear, forest }, { before, parameters }) => {
    const trees: number = forest.trees;
    const seed: number = parameters.seed;
    // @ts-expect-error only the other branch has trees
    linear.trees;
    // @ts-expect-error what was there before is in `before`
    linear.rows;
    return { best: Math.min(linear.error, forest.error), rows: before.rows.length, trees, seed };
  })
  .step('report', ({ best, rows }) => ({ best: best + rows }))
  // @ts-expect-error after a join only what it returned remains
  .step('gone', ({ path }) => ({ path }));

// @ts-expect-error there is no branch of that name
branched.join('choose', ({ lienar }) => ({ lienar }));

base.branch('train', {
  // @ts-expect-error misspelt artifact in a branch
  linear: ({ rowz }) => ({ rowz }),
});

base.branch('outer', {
  // @ts-expect-error misspelt artifact in a sub-chain
  chain: (branch) => branch.step('one', ({ rowz }) => ({ rowz })),
});

base
  .branch('outer', {
    left: (branch) =>
      branch
        .branch('inner', { a: ({ rows }) => ({ n: rows.length }), b: () => ({ n: 2 }) })
        .join('meet', ({ a, b }) => ({ n: a.n + b.n })),
    right: async () => ({ m: 1 }),
  })
  .join('end', ({ left, right }) => ({ sum: left.n + right.m }));

// @ts-expect-error the default must fit the type
flow('x').parameter('n', { type: 'integer', default: 'three' });

const withNumber = flow('x').parameter('n', { type: 'integer' });
// @ts-expect-error a trigger maps parameters that exist
withNumber.on('event', { parameters: { m: 'payload.m' } });

base
  .command('elsewhere', {
    run: ({ rows }, { parameters }) => ['sh', 'fit.sh', rows.length, parameters.seed, true],
    takes: ['rows'],
    leaves: { rmse: artifact.json<number>(), model: artifact.onnx, weights: artifact.npy },
  })
  .step('read', ({ rmse, model, weights, rows }) => {
    const shape: readonly number[] = weights.shape;
    // @ts-expect-error it was said to be a number
    const text: string = rmse;
    return { shape, text, bytes: model.length, n: rows.length };
  });

// @ts-expect-error there is no such artifact to take
base.command('elsewhere', { run: ['true'], takes: ['rowz'] });

// @ts-expect-error an argument is a text, a number or a boolean
base.command('elsewhere', { run: ({ rows }) => ['sh', rows] });

base
  .branch('fit', {
    python: (branch) => branch.python('py', { script: 'fit.py', leaves: { error: artifact.json<number>() } }),
    here: ({ rows }) => ({ error: rows.length }),
  })
  .join('best', ({ python, here }) => ({ error: Math.min(python.error, here.error) }));

const collected = base.foreach(
  'each',
  ({ rows }) => rows.map((row) => ({ row })),
  (each) => each.step('fit', ({ item, rows }) => ({ fitted: item.row + rows.length })),
);
collected.join('collect', ({ inputs }) => ({ sum: inputs.reduce((sum, { fitted }) => sum + fitted, 0) }));
// @ts-expect-error a foreach must be joined first
collected.step('early', () => ({}));
// @ts-expect-error what was there before is in `before`
collected.join('collect', ({ inputs }) => ({ all: inputs.map(({ rows }) => rows) }));
base.foreach(
  'each',
  ({ rows }) => rows,
  // @ts-expect-error an item is a number
  (each) => each.step('fit', ({ item }) => ({ text: item.toUpperCase() })),
);
// @ts-expect-error there is no item outside of a foreach
base.step('outside', ({ item }) => ({ item }));
base.foreach(
  'each',
  // @ts-expect-error items are something to run over
  () => 5,
  ({ item }) => ({ item }),
);
base
  .foreach(
    'outer',
    ({ rows }) => [rows],
    (outer) =>
      outer
        .foreach(
          'inner',
          ({ item }) => item,
          ({ item }) => ({ half: item / 2 }),
        )
        .join('both', ({ inputs, item }) => ({ halves: inputs.map(({ half }) => half), of: item.length })),
  )
  .join('all', ({ inputs }) => ({ n: inputs[0]?.of ?? 0, halves: inputs[0]?.halves }));

const switched = base.switch('route', ({ rows }): 'a' | 'b' => (rows.length > 1 ? 'a' : 'b'), {
  a: () => ({ both: 1, onlyA: 1 }),
  b: (branch) => branch.step('one', () => ({ both: 2 })),
});
switched.step('after', ({ both, rows }) => ({ sum: both + rows.length }));
// @ts-expect-error only one case has it
switched.step('after', ({ onlyA }) => ({ onlyA }));
// @ts-expect-error a case is missing
base.switch('route', (): 'a' | 'b' => 'a', { a: () => ({ n: 1 }) });

base
  .step('guess', () => ({ root: 1 }))
  .repeat('improve', ({ root }) => ({ root: root / 2, error: root }), { until: ({ error }) => error < 1, most: 3 })
  .step('use', ({ error, root }) => ({ n: error + root }));
base.repeat('improve', ({ rows }) => ({ error: rows.length }), {
  // @ts-expect-error misspelt artifact
  until: ({ eror }) => eror < 1,
  most: 3,
});
// @ts-expect-error a repeat is bounded
base.repeat('improve', () => ({}), { until: () => true });

base
  .gang('train', { size: 'seed' }, ({ rows }, { gang }) => ({ part: rows.length * gang.rank }))
  .join('collect', ({ inputs }) => ({ parts: inputs.map(({ part }) => part) }));
// @ts-expect-error there is no such parameter
base.gang('train', { size: 'sead' }, () => ({}));
// @ts-expect-error only members of a gang have a rank
base.step('alone', (_, { gang }) => ({ rank: gang.rank }));

branched
  .join('meet', ({ inputs }, { merge }) => merge({ errors: inputs.map(({ error }) => error) }, { exclude: ['error'] }))
  .step('after', ({ errors, trees, rows }) => ({ n: errors.length + trees + rows.length }))
  // @ts-expect-error it was excluded
  .step('gone', ({ error }) => ({ error }));
// @ts-expect-error no input has it
branched.join('meet', (_, { merge }) => merge({}, { include: ['treez'] }));
// @ts-expect-error only a join merges
base.step('alone', (_, { merge }) => merge());

const caught = base.step('risky', () => ({ made: 1 }), { catch: 'failure' });
caught.step('after', ({ failure, made }) => ({ why: failure?.message ?? 'none', made: made ?? 0 }));
// @ts-expect-error a step that failed has made nothing
caught.step('after', ({ made }) => ({ twice: made * 2 }));

flow('configured')
  .configure('train', { default: { depth: 3 } })
  .step(
    'fit',
    (_, { configuration }) => ({ depth: configuration.train.depth }),
    ({ configuration }) => ({
      retry: configuration.train.depth,
    }),
  );
