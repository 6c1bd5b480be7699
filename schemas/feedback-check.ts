/**
 * What counts as feedback, whoever sent it: a truth, a label or a reward for one prediction; for a prediction of several rows one value per
 * row, or the row that it is about.
 */
import { partitionOfPrediction } from './derived-ids.ts';
import type { FeedbackGiven, FeedbackReceived } from './events.generated.ts';

/** Beyond this, a truth, a reward or an answer that is judged by them is an accident and would rule every mean. */
export const judgementMax = 1e12;
/** The largest squared error of numbers within that bound: no rule makes a larger reward. */
export const rewardMax = (2 * judgementMax) ** 2;
/** Rows of a prediction that await feedback of their own. */
export const feedbackRowsMax = 1_000;
const labelCharactersMax = 256;

export type ReadFeedback =
  | {
      readonly feedback: FeedbackGiven;
      /** Partition of `predictions` that the prediction id names. */
      readonly partition: number;
      readonly problems?: undefined;
    }
  | { readonly problems: readonly string[] };

/**
 * The feedback in a parsed body, or all that is wrong with it, by field. `truth`, `label` and `reward` are one value, or lists of one value
 * per row; the lists have fields of their own in Avro (`truths`, `labels`, `rewards`). `partitions`: of `predictions`.
 */
export function readFeedback(value: unknown, partitions: number): ReadFeedback {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { problems: ['feedback must be an object with predictionId and truth, label or reward'] };
  }
  const { predictionId, row, ...said } = value as Readonly<Record<string, unknown>>;
  const partition = typeof predictionId === 'string' ? partitionOfPrediction(predictionId, partitions) : undefined;
  const fields = {
    truth: fieldOf('truth', said['truth'], said['truths'], numberProblem),
    label: fieldOf('label', said['label'], said['labels'], labelProblem),
    reward: fieldOf('reward', said['reward'], said['rewards'], numberProblem),
  };
  const given = Object.values(fields).filter(({ isGiven }) => isGiven);
  const problems = [
    partition === undefined ? `predictionId must be the id of a prediction, got ${shown(predictionId)}` : undefined,
    rowProblem(row),
    ...Object.values(fields).map(({ problem }) => problem),
    given.length === 0 ? 'truth, label or reward must be given' : shapeProblem(given, isMissing(row) ? undefined : row),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0 || partition === undefined) return { problems };
  const feedback = {
    predictionId: predictionId as string,
    truth: fields.truth.value as number | null,
    label: fields.label.value as string | null,
    reward: fields.reward.value as number | null,
    row: (row as number | undefined) ?? null,
    truths: fields.truth.values as readonly (number | null)[],
    labels: fields.label.values as readonly (string | null)[],
    rewards: fields.reward.values as readonly (number | null)[],
  };
  return { feedback, partition };
}

/** What a feedback says: once of the prediction or of the row that it names, or of each row that it has a value for. */
export function judgementsOf(
  feedback: FeedbackGiven,
): readonly Pick<FeedbackReceived, 'row' | 'rows' | 'truth' | 'label' | 'reward'>[] {
  const { truth, label, reward, row, truths, labels, rewards } = feedback;
  const rows = Math.max(truths.length, labels.length, rewards.length);
  if (rows === 0) return [{ row, rows, truth, label, reward }];
  return Array.from({ length: rows }, (_, at) => ({
    ...{ row: at, rows },
    ...{ truth: truths[at] ?? null, label: labels[at] ?? null, reward: rewards[at] ?? null },
  })).filter((one) => one.truth !== null || one.label !== null || one.reward !== null);
}

interface Field {
  readonly name: string;
  readonly isGiven: boolean;
  /** null: not given, or a list. */
  readonly value: unknown;
  readonly values: readonly unknown[];
  readonly problem: string | undefined;
}

type Check = (field: string, value: unknown) => string | undefined;

function fieldOf(name: string, said: unknown, listed: unknown, check: Check): Field {
  const hasList = Array.isArray(listed) && listed.length > 0;
  const list = hasList ? (listed as readonly unknown[]) : said;
  if (!Array.isArray(list))
    return { name, isGiven: !isMissing(said), value: said ?? null, values: [], problem: check(name, said) };
  const values = list.map((one: unknown) => one ?? null);
  const problem =
    hasList && !isMissing(said)
      ? `${name} and ${name}s say the same thing: give one of them`
      : (sizeProblem(name, values.length) ?? values.map((one, at) => check(`${name}[${at}]`, one)).find(Boolean));
  return { name, isGiven: values.some((one) => one !== null), value: null, values, problem };
}

function sizeProblem(name: string, size: number): string | undefined {
  if (size > 0 && size <= feedbackRowsMax) return undefined;
  return `${name} must have one value per row, 1 to ${feedbackRowsMax} of them, got ${size}`;
}

/** One value of each kind, or one per row of each; a named row has one of each. */
function shapeProblem(given: readonly Field[], row: unknown): string | undefined {
  const sizes = new Set(given.map(({ values }) => values.length));
  const got = given.map(
    ({ name, values }) => `${name} with ${values.length === 0 ? 'one value' : `${values.length} in a list`}`,
  );
  if (sizes.size > 1)
    return `truth, label and reward must all be one value, or lists of the same length, got ${got.join(', ')}`;
  if (row === undefined || sizes.has(0)) return undefined;
  return `row names one row, and a list has one value per row: give one of them, got row ${shown(row)} and ${got.join(', ')}`;
}

function rowProblem(value: unknown): string | undefined {
  if (isMissing(value)) return undefined;
  const isRow = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < feedbackRowsMax;
  return isRow ? undefined : `row must be a whole number from 0 to ${feedbackRowsMax - 1}, got ${shown(value)}`;
}

function numberProblem(field: string, value: unknown): string | undefined {
  if (isMissing(value)) return undefined;
  if (typeof value !== 'number') return `${field} must be a number, got ${shown(value)}`;
  if (!Number.isFinite(value)) return `${field} must be finite, got ${value}`;
  return Math.abs(value) > judgementMax ? `${field} must lie within ±${judgementMax}, got ${value}` : undefined;
}

function labelProblem(field: string, value: unknown): string | undefined {
  if (isMissing(value)) return undefined;
  if (typeof value === 'string' && value !== '' && value.length <= labelCharactersMax) return undefined;
  return `${field} must be a text of 1 to ${labelCharactersMax} characters, got ${shown(value)}`;
}

const isMissing = (value: unknown): value is null | undefined => value === undefined || value === null;

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
