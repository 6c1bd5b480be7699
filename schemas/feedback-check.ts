/** What counts as feedback, whoever sent it: a truth, a label or a reward for one prediction. */
import { partitionOfPrediction } from './derived-ids.ts';
import type { FeedbackGiven } from './events.generated.ts';

/** Beyond this, a truth, a reward or an answer that is judged by them is an accident and would rule every mean. */
export const judgementMax = 1e12;
/** The largest squared error of numbers within that bound: no rule makes a larger reward. */
export const rewardMax = (2 * judgementMax) ** 2;
const labelCharactersMax = 256;

export type ReadFeedback =
  | {
      readonly feedback: FeedbackGiven;
      /** Partition of `predictions` that the prediction id names. */
      readonly partition: number;
      readonly problems?: undefined;
    }
  | { readonly problems: readonly string[] };

/** The feedback in a parsed body, or all that is wrong with it, by field. `partitions`: of `predictions`. */
export function readFeedback(value: unknown, partitions: number): ReadFeedback {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { problems: ['feedback must be an object with predictionId and truth, label or reward'] };
  }
  const { predictionId, truth, label, reward } = value as Readonly<Record<string, unknown>>;
  const partition = typeof predictionId === 'string' ? partitionOfPrediction(predictionId, partitions) : undefined;
  const problems = [
    partition === undefined ? `predictionId must be the id of a prediction, got ${shown(predictionId)}` : undefined,
    numberProblem('truth', truth),
    numberProblem('reward', reward),
    labelProblem(label),
    [truth, label, reward].every((field) => field === undefined || field === null)
      ? 'truth, label or reward must be given'
      : undefined,
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0 || partition === undefined) return { problems };
  const feedback = {
    predictionId: predictionId as string,
    truth: (truth as number | undefined) ?? null,
    label: (label as string | undefined) ?? null,
    reward: (reward as number | undefined) ?? null,
  };
  return { feedback, partition };
}

function numberProblem(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number') return `${field} must be a number, got ${shown(value)}`;
  if (!Number.isFinite(value)) return `${field} must be finite, got ${value}`;
  return Math.abs(value) > judgementMax ? `${field} must lie within ±${judgementMax}, got ${value}` : undefined;
}

function labelProblem(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value !== '' && value.length <= labelCharactersMax) return undefined;
  return `label must be a text of 1 to ${labelCharactersMax} characters, got ${shown(value)}`;
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
