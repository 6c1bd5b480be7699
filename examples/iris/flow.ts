import { artifact, flow } from '../../sdk/index.ts';

const requirements = 'requirements.txt';
const model = { takes: ['train_rows', 'train_species', 'test_rows', 'test_species'] as const, requirements };

/** Two classifiers by two Python libraries, both as ONNX, each held against what Python predicts. */
export default flow('iris')
  .parameter('seed', { type: 'integer', default: 0, help: 'of the split' })
  .parameter('c', { type: 'number', default: 1, help: 'inverse strength of the regularisation' })
  .parameter('trees', { type: 'integer', default: 20, help: 'rounds of boosting' })
  .python('load', {
    script: 'load.py',
    arguments: (_, { parameters }) => [parameters.seed],
    requirements,
    leaves: {
      train_rows: artifact.npy,
      train_species: artifact.npy,
      test_rows: artifact.npy,
      test_species: artifact.npy,
      species: artifact.json<readonly string[]>(),
    },
  })
  .branch('train', {
    logistic: (branch) =>
      branch.python('scikit-learn', {
        ...model,
        script: 'scikit_learn.py',
        files: ['step_files.py'],
        arguments: (_, { parameters }) => [parameters.c],
        leaves: { metrics: artifact.json<Metrics>(), expected: artifact.npy },
      }),
    trees: (branch) =>
      branch.python('xgboost', {
        ...model,
        script: 'xgb.py',
        files: ['step_files.py'],
        arguments: (_, { parameters }) => [parameters.trees],
        leaves: { metrics: artifact.json<Metrics>(), expected: artifact.npy },
      }),
  })
  .join('compare', ({ logistic, trees }, { before }) => ({
    species: before.species,
    accuracy: { logistic: logistic.metrics.accuracy, trees: trees.metrics.accuracy },
    test_rows: before.test_rows,
    expected: { logistic: [...logistic.expected.data].map(Number), trees: [...trees.expected.data].map(Number) },
  }));

interface Metrics {
  readonly accuracy: number;
  /** Largest difference between a probability of the ONNX model and of Python. */
  readonly onnx_difference: number;
}
