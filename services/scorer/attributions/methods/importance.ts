import { permutationImportance } from '../../../../statistics/explanations/permutation-importance.ts';
import { answerAsync } from '../../../../statistics/explanations/questions.ts';
import { featuresOf, type Found, type Question } from '../question.ts';
import { classesOf } from '../output-columns.ts';

const rowsMax = 500;

/**
 * Of the model that made the prediction, over the reference sample: the loss is a wrong class (0 or 1), or the squared difference. It
 * compares with the outputs of the reference sample where it has them, else with the model's own answers to the rows as they are.
 */
export async function explainByImportance(question: Question): Promise<Found> {
  const { inputs, background, ask, predict, explained, random, reference } = question;
  const { rows, places } = background(rowsMax);
  const answers = await ask(rows);
  const classes = classesOf(answers, rows.length, explained);
  const truths = classes === undefined ? reference.outputs.get(explained.tensor) : undefined;
  const judge = async (lines: readonly (readonly number[])[]): Promise<Float64Array> =>
    classes === undefined
      ? await predict(lines)
      : (classesOf(await ask(lines), lines.length, explained) ?? new Float64Array());
  const truth = truths === undefined ? await judge(rows) : places.map((place) => truths[place] ?? 0);
  const loss =
    classes === undefined ? (a: number, b: number) => (a - b) ** 2 : (a: number, b: number) => (a === b ? 0 : 1);
  const found = await answerAsync(permutationImportance(rows, truth, loss, random), judge);
  const [prediction = 0] = await predict([inputs.explained]);
  return {
    base: found.baseLoss,
    prediction,
    features: featuresOf(inputs, found.increase, found.deviation),
    backgroundRows: rows.length,
    against: truths === undefined ? 'answers' : 'reference',
  };
}
