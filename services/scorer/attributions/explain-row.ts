/**
 * One prediction explained by one method. Everything that is drawn is seeded by the question, so the same question has the same numbers
 * wherever it is computed.
 */
import { performance } from 'node:perf_hooks';
import type { Tensor } from '../../../runtime/ports/index.ts';
import { type ExplainerMethod, explainerMethods } from '../../../schemas/explainers.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { NotAssessable, type Reference } from '../reference-sample.ts';
import type { AttributionTask, Explanation } from './attribution-task.ts';
import { backgroundOf } from './background.ts';
import { explainByAnchor } from './methods/anchors.ts';
import { explainByCounterfactual } from './methods/counterfactual.ts';
import { explainByImportance } from './methods/importance.ts';
import { explainByKernelShap, explainByTreeShap } from './methods/shap.ts';
import { inputRows } from './input-rows.ts';
import { chooseOutput, columnOf } from './output-columns.ts';
import type { Found, Question } from './question.ts';
import { openRoute } from './route-model.ts';

type Method = (question: Question) => Promise<Found>;

const methods: Readonly<Record<ExplainerMethod, Method>> = {
  'kernel-shap': explainByKernelShap,
  'tree-shap': explainByTreeShap,
  'permutation-importance': explainByImportance,
  anchors: explainByAnchor,
  counterfactual: explainByCounterfactual,
};

/** Rejects with NotAssessable, RangeError or MillraceError, whose message is the reason that is published. */
export async function explain(task: AttributionTask, reference: Reference): Promise<Explanation> {
  const began = performance.now();
  const route = await openRoute(task);
  const inputs = inputRows(task.inputs, task.rows, task.row, task.features);
  let asked = 0;
  const ask = async (rows: readonly (readonly number[])[]): Promise<readonly Tensor[]> => {
    asked += rows.length;
    return await route.run(inputs.tensors(rows), rows.length);
  };
  const explained = chooseOutput(await ask([inputs.explained]), 1, task.output, task.mainOutput);
  const question: Question = {
    task,
    reference,
    inputs,
    explained,
    route,
    random: seededRandom(task.seed),
    background: (max) => {
      const { rows, places } = backgroundOf(reference, task.referenceHash, inputs, task.features, max);
      return { rows: inputs.held(rows), places };
    },
    ask,
    predict: async (rows) => columnOf(await ask(rows), rows.length, explained),
  };
  const { method, found } =
    task.method === 'auto' ? await explainByBest(question) : await explainBy(task.method, question);
  return {
    method,
    methodVersion: explainerMethods[method].version,
    output: explained.name,
    anchor: null,
    counterfactual: null,
    against: '',
    ...found,
    rowsAsked: asked,
    computeMs: performance.now() - began,
  };
}

interface Explained {
  readonly method: ExplainerMethod;
  readonly found: Found;
}

async function explainBy(method: ExplainerMethod, question: Question): Promise<Explained> {
  return { method, found: await methods[method](question) };
}

/** A model may be more than the tree ensemble that is in it. */
async function explainByBest(question: Question): Promise<Explained> {
  if (question.route.trees === undefined) return await explainBy('kernel-shap', question);
  try {
    return await explainBy('tree-shap', question);
  } catch (error) {
    if (error instanceof NotAssessable) return await explainBy('kernel-shap', question);
    throw error;
  }
}
