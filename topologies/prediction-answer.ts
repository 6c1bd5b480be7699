import type { PredictionCompleted, RewardRecorded } from '../schemas/events.ts';
import { feedbackRowsMax, judgementMax } from '../schemas/feedback-check.ts';
import { tableOf } from './tensor-table.ts';
import { numericValue, tensorValues } from './tensor-values.ts';

/** What feedback is compared with: the one number or label of a row; null when it has no such thing. */
export type Answer = number | string | null;

/** What a feedback brings. Two feedbacks that bring the same are duplicates. */
export interface Judgement {
  readonly truth: number | null;
  readonly label: string | null;
  readonly reward: number | null;
}

export type Comparison = Pick<
  RewardRecorded,
  'prediction' | 'truth' | 'error' | 'reward' | 'rule' | 'answer' | 'label'
>;

/** Classes of one prediction beyond these are not kept while it waits for feedback. */
const classesMax = 100;

type Answered = Pick<PredictionCompleted, 'rows' | 'outputs'>;

/** Of a prediction of one row; null when it has several. */
export function answerOf(data: Answered, output: string): Answer {
  return data.rows === 1 ? answerAt(outputValues(data, output), 0) : null;
}

/** Of a prediction of several rows, those that await feedback of their own; empty when it has one. */
export function answersOf(data: Answered, output: string): readonly Answer[] {
  if (data.rows < 2) return [];
  const values = outputValues(data, output);
  return Array.from({ length: Math.min(data.rows, feedbackRowsMax) }, (_, row) => answerAt(values, row));
}

/** Elements of the output if it has one per row; else none. */
function outputValues({ rows, outputs }: Answered, output: string): ReturnType<typeof tensorValues> {
  const tensor = output === '' ? outputs[0] : outputs.find(({ name }) => name === output);
  const values = tensor === undefined ? [] : tensorValues(tensor);
  return values.length === rows ? values : [];
}

function answerAt(values: ReturnType<typeof tensorValues>, row: number): Answer {
  const value = values[row];
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value === undefined || (typeof value === 'number' && !Number.isFinite(value)) ? null : value;
}

/** Of one row, in the order of the model; empty when there are none. */
export function probabilitiesOf({ rows, outputs, terms }: PredictionCompleted, row = 0): readonly number[] {
  const tensor = outputs.find(({ name }) => name === terms.probabilities);
  const all = tensor === undefined ? [] : tensorValues(tensor);
  const width = all.length / rows;
  if (!Number.isInteger(width) || width > classesMax) return [];
  const values = all.slice(row * width, (row + 1) * width).map(numericValue);
  return values.every((value) => value >= 0 && value <= 1) ? values : [];
}

/** `feature=value` of one row for each feature by whose values quality is shown apart. */
export function segmentsOf({ rows, inputs, terms }: PredictionCompleted, row = 0): readonly string[] {
  if (terms.segments.length === 0) return [];
  const table = tableOf(inputs, rows);
  if (table === undefined) return [];
  const cells = table.cells(row);
  return terms.segments.flatMap(({ name, index, categories }) => {
    const named = table.names.indexOf(name);
    const tensor = inputs.find((one) => one.name === name);
    const texts = tensor === undefined ? [] : tensorValues(tensor);
    const text = texts[row * (texts.length / rows)];
    const cell = cells[named < 0 ? index : named];
    if (typeof text === 'string' && text !== '') return [`${name}=${text.slice(0, 80)}`];
    return cell === undefined || Number.isNaN(cell) ? [] : [`${name}=${categories[cell] ?? String(cell)}`];
  });
}

/** Why a feedback can be compared with no prediction at all; undefined when it may be. */
export function judgementProblem({ truth, label, reward }: Judgement): string | undefined {
  if (truth === null && label === null && reward === null) return 'it brings neither truth, label nor reward';
  if (truth !== null && !Number.isFinite(truth)) return `truth must be a finite number, got ${truth}`;
  if (reward !== null && !Number.isFinite(reward)) return `reward must be a finite number, got ${reward}`;
  return undefined;
}

/**
 * The reward of a prediction: the feedback's own, or by the deployment's rule; null where its function is to make it. A text says why
 * there is none.
 */
export function compare(
  answer: Answer,
  { truth, label, reward }: Judgement,
  rule: string,
  hasFunction = false,
): Comparison | string {
  const prediction = typeof answer === 'number' ? answer : null;
  const error = prediction === null || truth === null ? null : prediction - truth;
  const isClass = rule === 'equal' || label !== null || typeof answer === 'string';
  // A class that is a number is the same however the label writes it: 1, 1.0, true.
  const code = typeof answer === 'number' && label !== null ? numberOf(label) : undefined;
  const known = code === undefined ? (label ?? (truth === null ? null : String(truth))) : String(code);
  const classes = { answer: isClass && answer !== null ? String(answer) : null, label: isClass ? known : null };
  const said = { prediction, truth, error, ...classes };
  if (reward !== null) return { ...said, reward, rule: 'feedback' };
  if (answer === null) return 'the answer is not one number or label: only a reward can be credited';
  if (hasFunction) return { ...said, reward: null, rule: 'function' };
  if (rule === 'equal') {
    const expected = typeof answer === 'string' ? label : (truth ?? code ?? label);
    if (expected === null) return `the prediction is the label '${answer}', the feedback names none`;
    return { ...said, reward: String(answer) === String(expected) ? 1 : 0, rule };
  }
  if (error === null) {
    return prediction === null
      ? `the prediction is the label '${answer}', the rule ${rule} needs a number`
      : `the feedback brings no truth, the rule ${rule} needs one`;
  }
  if (!(Math.abs(prediction ?? 0) <= judgementMax) || !(Math.abs(truth ?? 0) <= judgementMax))
    return `the prediction ${prediction} or the truth ${truth} lies beyond ±${judgementMax}: only a reward can be credited`;
  return { ...said, reward: rule === 'negative-absolute-error' ? -Math.abs(error) : -error * error, rule };
}

/** A label that is a number or a truth value; undefined when it is another text. */
function numberOf(label: string): number | undefined {
  const text = label.trim().toLowerCase();
  if (text === 'true' || text === 'false') return text === 'true' ? 1 : 0;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** What experiments compare: the error, or for the rule `equal` 1 where the answer is wrong; null when it is unknown or beyond all measure. */
export function comparedError({
  rule,
  reward,
  error,
}: Pick<RewardRecorded, 'rule' | 'reward' | 'error'>): number | null {
  const compared = rule === 'equal' ? 1 - (reward ?? 0) : error;
  return compared === null || !Number.isFinite(compared * compared) ? null : compared;
}
