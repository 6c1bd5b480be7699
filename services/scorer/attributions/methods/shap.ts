import { answerAsync } from '../../../../statistics/explanations/questions.ts';
import { kernelShap } from '../../../../statistics/explanations/shap.ts';
import { predictTree, treeShap } from '../../../../statistics/explanations/tree-shap.ts';
import type { TreeEnsemble } from '../../../../runtime/adapters/onnx/tree-ensemble.ts';
import { NotAssessable } from '../../reference-sample.ts';
import { featuresOf, type Found, type Question } from '../question.ts';

/** Rows of the reference that stand for "without this feature". */
const backgroundMax = 100;

export async function explainByKernelShap({ inputs, background, predict, random }: Question): Promise<Found> {
  const { rows } = background(backgroundMax);
  const { values, base, prediction } = await answerAsync(kernelShap(inputs.explained, rows, random), predict);
  return { base, prediction, features: featuresOf(inputs, values), backgroundRows: rows.length };
}

/** Tree SHAP where the model is a tree ensemble and gives what its trees give; of `auto`, Kernel SHAP otherwise. */
export async function explainByTreeShap(question: Question): Promise<Found> {
  const { inputs, background, route, explained, predict } = question;
  const { rows } = background(backgroundMax);
  const trees = route.trees?.outputs[explained.column];
  if (route.trees === undefined || trees === undefined) throw noTrees('the route is no single tree ensemble');
  await requireSame(trees, route.trees.combine, [inputs.explained, ...rows], predict);
  const { values, base, prediction } = treeShap(trees.trees, inputs.explained, rows, route.trees.combine);
  return {
    base: base + trees.base,
    prediction: prediction + trees.base,
    features: featuresOf(inputs, values),
    backgroundRows: rows.length,
  };
}

/** Whatever else the model does would not be explained. */
async function requireSame(
  { trees, base }: TreeEnsemble['outputs'][number],
  combine: TreeEnsemble['combine'],
  rows: readonly (readonly number[])[],
  predict: Question['predict'],
): Promise<void> {
  const answers = await predict(rows);
  for (const [index, row] of rows.entries()) {
    const sum = trees.reduce((total, tree) => total + predictTree(tree, row), 0);
    const own = base + (combine === 'mean' ? sum / trees.length : sum);
    const answer = answers[index] ?? Number.NaN;
    if (!(Math.abs(own - answer) <= 1e-4 * Math.max(1, Math.abs(answer)))) {
      throw noTrees(`its trees give ${own} for a row for which the model answers ${answer}`);
    }
  }
}

function noTrees(why: string): NotAssessable {
  return new NotAssessable(`tree-shap explains models that are one tree ensemble: ${why}; kernel-shap explains any`);
}
