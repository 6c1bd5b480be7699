import { findAnchor } from '../../../../statistics/explanations/anchors.ts';
import { answerAsync } from '../../../../statistics/explanations/questions.ts';
import { tabularAnchorProblem } from '../../../../statistics/explanations/tabular-anchors.ts';
import { NotAssessable } from '../../reference-sample.ts';
import { featuresOf, type Found, type Question } from '../question.ts';
import { classesOf } from '../output-columns.ts';

const rowsMax = 1_000;

export async function explainByAnchor({
  inputs,
  background,
  ask,
  predict,
  explained,
  random,
}: Question): Promise<Found> {
  const { rows } = background(rowsMax);
  const classify = async (lines: readonly (readonly number[])[]): Promise<Float64Array> => {
    const classes = classesOf(await ask(lines), lines.length, explained);
    if (classes !== undefined) return classes;
    throw new NotAssessable(`anchors explain a choice among classes; '${explained.name}' is a number`);
  };
  const [own = 0] = await classify([inputs.explained]);
  const { categorical } = inputs;
  const problem = tabularAnchorProblem(inputs.explained, own, rows, random, { categorical });
  const anchor = await answerAsync(findAnchor(problem), classify);
  const [prediction = 0] = await predict([inputs.explained]);
  return {
    base: 0,
    prediction,
    features: featuresOf(
      inputs,
      inputs.names.map((_, column) => (anchor.rule.includes(column) ? 1 : 0)),
    ),
    backgroundRows: rows.length,
    anchor: {
      conditions: anchor.rule.map((column) => {
        const condition = problem.condition(column);
        const feature = inputs.names[column] ?? '';
        return 'equals' in condition
          ? { feature, low: condition.equals, high: condition.equals }
          : { feature, low: condition.low, high: condition.high };
      }),
      precision: anchor.precision,
      precisionLow: anchor.precisionBounds[0],
      precisionHigh: anchor.precisionBounds[1],
      coverage: anchor.coverage,
      valid: anchor.valid,
    },
  };
}
