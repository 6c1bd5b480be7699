/** Steps in other languages: the shell and a Node program that imports nothing of ours. */
import { ArrowTable, artifact, flow, NdArray } from '../../../../sdk/index.ts';

const shell = (script: string) => ['sh', '-c', script] as const;

export default flow('programs')
  .parameter('alpha', { type: 'number', default: 0.5 })
  .parameter('mode', { type: 'string', default: '' })
  .step('begin', () => ({
    rows: [{ id: 1, name: 'ä' }],
    vector: new Float64Array([1.5, -2]),
    nested: { weights: new Float32Array([0.5]), bias: 1 },
    matrix: new NdArray(new Int32Array([1, 2, 3, 4]), [2, 2]),
    table: new ArrowTable([...Buffer.from('ARROW1\0\0'), 9]),
    raw: new Uint8Array([1, 2, 3]),
    big: new Uint8Array(200_000).fill(7),
  }))
  .command('look', {
    run: (_, { parameters, attempt }) => ['node', 'look.mjs', '--alpha', parameters.alpha, String(attempt)],
    files: ['look.mjs', 'data'],
    leaves: { seen: artifact.json<{ readonly rows: unknown }>(), copy: artifact.npy, notes: artifact.text },
  })
  .command('leave', {
    run: ['node', 'leave.mjs'],
    files: ['leave.mjs'],
    takes: ['rows'],
    leaves: { model: artifact.onnx, metrics: artifact.json<Record<string, number>>(), table: artifact.arrow },
  })
  .command('behave', {
    run: (_, { parameters }) => ['sh', 'behave.sh', parameters.mode],
    files: ['behave.sh'],
    takes: [],
    leaves: { answer: artifact.json<number>() },
  })
  .command('missing-program', { run: ['no-such-program-anywhere'], takes: [] })
  .command('shell', {
    run: shell('echo "$MILLRACE_PARAMETER_alpha" > "$MILLRACE_OUTPUT/said.json"'),
    takes: [],
    leaves: { said: artifact.json<number>() },
  })
  .branch('both', {
    one: (branch) =>
      branch.command('one', {
        run: shell('printf 1 > $MILLRACE_OUTPUT/n.json'),
        leaves: { n: artifact.json<number>() },
      }),
    two: ({ said }) => ({ n: said }),
  })
  .join('sum', ({ one, two }) => ({ total: one.n + two.n }));
