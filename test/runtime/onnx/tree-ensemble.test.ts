/** Trees read from ONNX files, against what onnxruntime in Python answers. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { readTreeEnsemble } from '../../../runtime/adapters/onnx/tree-ensemble.ts';
import { predictTree } from '../../../statistics/explanations/tree-shap.ts';

const models = new URL('../../models/', import.meta.url);

interface Said {
  readonly cases: readonly {
    readonly inputs: readonly { readonly shape: number[]; readonly data: number[] }[];
    readonly outputs: readonly { readonly name: string; readonly shape: number[]; readonly data: number[] }[];
  }[];
}

it.each([
  ['diabetes-forest-regressor', 'variable'],
  ['iris-random-forest', 'probabilities'],
  // Strict comparisons, and a base value.
  ['iris-xgboost-regressor', 'variable'],
])('the trees of %s add up to what the model answers', async (name, output) => {
  const ensemble = readTreeEnsemble(await readFile(new URL(`${name}.onnx`, models)))!;
  const said = JSON.parse(await readFile(new URL(`${name}.json`, models), 'utf8')) as Said;
  const [first] = said.cases;
  const [rows, width] = first!.inputs[0]!.shape;
  const answers = first!.outputs.find((tensor) => tensor.name === output)!.data;
  for (let row = 0; row < rows!; row++) {
    const line = first!.inputs[0]!.data.slice(row * width!, (row + 1) * width!).map(Math.fround);
    for (const [column, { trees, base }] of ensemble.outputs.entries()) {
      const sum = trees.reduce((total, tree) => total + predictTree(tree, line), 0);
      const own = base + (ensemble.combine === 'mean' ? sum / trees.length : sum);
      const answer = answers[row * ensemble.outputs.length + column]!;
      expect(Math.abs(own - answer)).toBeLessThan(1e-4 * Math.max(1, Math.abs(answer)));
    }
  }
});

it.each(['iris-logreg', 'iris-xgboost', 'diabetes-mlp-regressor'])(
  '%s is no ensemble whose scores are sums of leaves',
  async (name) => {
    expect(readTreeEnsemble(await readFile(new URL(`${name}.onnx`, models)))).toBeUndefined();
  },
);
