import {
  madScales,
  nearestUnlikeNeighbour,
  searchCounterfactual,
} from '../../../../statistics/explanations/counterfactual.ts';
import { answerAsync } from '../../../../statistics/explanations/questions.ts';
import { NotAssessable } from '../../reference-sample.ts';
import { featuresOf, type Found, type Question } from '../question.ts';
import { classesOf, marginsOf } from '../output-columns.ts';

const rowsMax = 1_000;

/** A hair beyond the tie of two classes. */
const beyondTie = -1e-6;

/**
 * A near row with another class; with a target, one whose output reaches it. Found by following the slope of the score where it has one,
 * else (trees, whole numbers) the nearest row of the reference.
 */
export async function explainByCounterfactual(question: Question): Promise<Found> {
  const { inputs, background, predict, task } = question;
  const { score, target } = await goalOf(question);
  const searched = searchCounterfactual(inputs.explained, target, {
    mutable: inputs.continuous,
    // The model may see 32-bit floats: a smaller step would drown in their rounding.
    step: (value) => 1e-3 * Math.max(1, Math.abs(value)),
  });
  const { row, distance } =
    inputs.continuous.length === 0 ? { row: null, distance: null } : await answerAsync(searched, score);
  const [prediction = 0] = await predict([inputs.explained]);
  if (row !== null && distance !== null) {
    const [reached = 0] = await score([row]);
    const found = { values: [...row], foundBy: 'search', target, score: reached, distance };
    return { base: 0, prediction, features: changes(question, row), backgroundRows: 0, counterfactual: found };
  }
  const { rows } = background(rowsMax);
  const scores = await score(rows);
  const [start = 0] = await score([inputs.explained]);
  const side = Math.sign(target - start) || 1;
  const labels = Array.from(scores, (value) => (side * (value - target) >= 0 ? 1 : 0));
  const nearest = nearestUnlikeNeighbour(rows, labels, inputs.explained, 0, madScales(rows));
  const other = nearest === null ? undefined : rows[nearest.index];
  if (nearest === null || other === undefined) {
    const wanted = task.target === null ? 'another class' : `an output beyond ${task.target}`;
    throw new NotAssessable(`neither a search nor the ${rows.length} rows of the reference sample lead to ${wanted}`);
  }
  const found = {
    values: [...other],
    foundBy: 'reference',
    target,
    score: scores[nearest.index] ?? 0,
    distance: nearest.distance,
  };
  return {
    base: 0,
    prediction,
    features: changes(question, other),
    backgroundRows: rows.length,
    counterfactual: found,
  };
}

interface Goal {
  readonly score: Question['predict'];
  readonly target: number;
}

async function goalOf({ task, inputs, ask, explained, predict }: Question): Promise<Goal> {
  if (task.target !== null) return { score: predict, target: task.target };
  const [own] = classesOf(await ask([inputs.explained]), 1, explained) ?? [];
  if (own === undefined) {
    throw new NotAssessable(`'${explained.name}' is a number: say with a target which number it shall reach`);
  }
  return {
    score: async (rows) => marginsOf(await ask(rows), rows.length, explained, own),
    target: beyondTie,
  };
}

function changes({ inputs }: Question, row: readonly number[]): Found['features'] {
  return featuresOf(
    inputs,
    row.map((value, column) => value - (inputs.explained[column] ?? 0)),
  );
}
