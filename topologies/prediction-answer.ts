import type { PredictionCompleted, RewardRecorded } from '../schemas/events.ts';
import { tensorValues } from './tensor-values.ts';

/** What feedback is compared with: the one number or label of a one-row prediction; null when it has no such thing. */
export type Answer = number | string | null;

/** What a feedback brings. Two feedbacks that bring the same are duplicates. */
export interface Judgement {
  readonly truth: number | null;
  readonly label: string | null;
  readonly reward: number | null;
}

export type Comparison = Pick<RewardRecorded, 'prediction' | 'truth' | 'error' | 'reward' | 'rule'>;

export function answerOf({ rows, outputs, terms }: PredictionCompleted): Answer {
  if (rows !== 1) return null;
  const tensor = terms.output === '' ? outputs[0] : outputs.find(({ name }) => name === terms.output);
  const values = tensor === undefined ? [] : tensorValues(tensor);
  const value = values.length === 1 ? values[0] : undefined;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value === undefined || (typeof value === 'number' && !Number.isFinite(value)) ? null : value;
}

/** Why a feedback can be compared with no prediction at all; undefined when it may be. */
export function judgementProblem({ truth, label, reward }: Judgement): string | undefined {
  if (truth === null && label === null && reward === null) return 'it brings neither truth, label nor reward';
  if (truth !== null && !Number.isFinite(truth)) return `truth must be a finite number, got ${truth}`;
  if (reward !== null && !Number.isFinite(reward)) return `reward must be a finite number, got ${reward}`;
  return undefined;
}

/** The reward of a prediction: the feedback's own, or by the deployment's rule. A text says why there is none. */
export function compare(answer: Answer, { truth, label, reward }: Judgement, rule: string): Comparison | string {
  const prediction = typeof answer === 'number' ? answer : null;
  const error = prediction === null || truth === null ? null : prediction - truth;
  if (reward !== null) return { prediction, truth, error, reward, rule: 'feedback' };
  if (answer === null) return 'the prediction is not one row with one number or label: only a reward can be credited';
  if (rule === 'equal') {
    const expected = typeof answer === 'string' ? label : (truth ?? label);
    if (expected === null) return `the prediction is the label '${answer}', the feedback names none`;
    return { prediction, truth, error, reward: String(answer) === String(expected) ? 1 : 0, rule };
  }
  if (error === null) {
    return prediction === null
      ? `the prediction is the label '${answer}', the rule ${rule} needs a number`
      : `the feedback brings no truth, the rule ${rule} needs one`;
  }
  return {
    prediction,
    truth,
    error,
    reward: rule === 'negative-absolute-error' ? -Math.abs(error) : -error * error,
    rule,
  };
}
