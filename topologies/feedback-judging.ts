/**
 * What a feedback comes to, once its prediction is there: a reward, or why there is none. A prediction is judged row by row, or as a whole:
 * which of the two its first feedback decides. The first feedback of a row counts.
 */
import type { Output } from '../runtime/engine/topology.ts';
import { feedbackIdOfContent } from '../schemas/derived-ids.ts';
import type { RewardRecorded, RowsBefore } from '../schemas/events.ts';
import {
  type Given,
  type Judged,
  keyOf,
  noneBefore,
  type Open,
  type OpenRows,
  openWith,
  type Rewarded,
} from './feedback-entries.ts';
import { earned } from './feedback-shadows.ts';
import {
  type Answer,
  comparedError,
  type Comparison,
  compare,
  type Judgement,
  judgementProblem,
} from './prediction-answer.ts';

/** What changes. Without `put` the entry stays as it is. */
export interface Verdict {
  readonly put?: readonly (readonly [key: string, entry: Open | Rewarded])[];
  readonly emit?: readonly Output[];
  readonly count: Readonly<Record<string, number>>;
}

export type Outcome = 'duplicate' | 'contradictory' | 'unmatched' | 'late' | 'not-comparable';

const counterOf: Readonly<Record<Outcome, string>> = {
  duplicate: 'feedbackDuplicate',
  contradictory: 'feedbackContradictory',
  unmatched: 'feedbackUnmatched',
  late: 'feedbackLate',
  'not-comparable': 'feedbackNotComparable',
};

/**
 * The same fact of the service again, beyond its id window. One of the same id that says something else is another feedback, and closed
 * under an id of its own: an id has one outcome.
 */
export const repeated: Verdict = { count: { feedbackRepeated: 1 } };

/** Of a feedback for a prediction that awaits it, or had it. */
export function judged(predictionId: string, entry: Open | Rewarded, given: Given, timeMs: number): Verdict {
  const deployment = entry[3];
  const row = rowOf(given, entry);
  const first = typeof row === 'string' ? undefined : firstOf(entry, row);
  const close = (outcome: Outcome, reason = ''): Verdict =>
    closed(given, { predictionId, deployment, outcome, reason, first: first?.[0] });
  const problem = judgementProblem(given);
  if (problem !== undefined) return close('not-comparable', problem);
  const outcome = first === undefined ? undefined : againstFirst(first, given);
  if (first?.[0] === given.feedbackId && outcome === 'duplicate') return repeated;
  if (timeMs >= entry[2]) return close('late');
  if (outcome !== undefined) return close(outcome);
  if (typeof row === 'string') return close('not-comparable', row);
  if (entry[0] === 'rewarded')
    return close('contradictory', `feedback '${entry[4]}' rewarded the prediction as a whole`);
  const known = entry[19];
  if (row === null && known !== undefined) {
    if (known[4].rewards > 0) return close('contradictory', 'rows of the prediction were rewarded each by itself');
    if (given.reward === null)
      return close('not-comparable', `the prediction has ${known[0]} rows: give one value per row, or name the row`);
  }
  const compared = compare(answerIn(entry, row), given, entry[9], entry[16] !== '');
  return typeof compared === 'string'
    ? close('not-comparable', compared)
    : rewarded(predictionId, entry, given, row, compared);
}

/** @param about `first` is the id of the feedback that counts. */
export function closed(
  given: Given,
  about: {
    readonly predictionId: string;
    readonly deployment: string | null;
    readonly outcome: Outcome;
    readonly reason: string;
    readonly first?: string | undefined;
  },
): Verdict {
  const { predictionId, deployment, outcome, reason, first } = about;
  const isOther = first === given.feedbackId;
  const before = isOther ? [`the feedback '${first}' has said something else before`] : [];
  const data = {
    feedbackId: isOther ? feedbackIdOfContent(given.feedbackId, given) : given.feedbackId,
    predictionId,
    deployment,
    outcome,
    reason: [...before, ...(reason === '' ? [] : [reason])].join('; '),
    row: given.row,
  };
  return {
    emit: [{ topic: 'rewards', type: 'feedback-closed', data, key: deployment ?? predictionId }],
    count: { [counterOf[outcome]]: 1 },
  };
}

export function againstFirst([, truth, label, reward]: Judged, other: Judgement): 'duplicate' | 'contradictory' {
  return truth === other.truth && label === other.label && reward === other.reward ? 'duplicate' : 'contradictory';
}

/** Row that a feedback is about; null: the whole, of several rows. A text says why it is about none. */
function rowOf({ row, rows }: Given, entry: Open | Rewarded): number | null | string {
  const count = entry[0] === 'open' ? (entry[19]?.[0] ?? 1) : (entry[9] ?? 1);
  if (rows !== 0 && rows !== count)
    return `it has ${rows} value${rows === 1 ? '' : 's'}, one per row, but ${hasRows(count)}`;
  if (row === null) return count === 1 ? 0 : null;
  if (row < 0 || row >= count) return `it names row ${row}, but ${hasRows(count)}`;
  const awaiting = entry[0] === 'open' ? (entry[19]?.[1].length ?? 1) : count;
  return row < awaiting ? row : `it names row ${row}, but only the first ${awaiting} rows await feedback of their own`;
}

function hasRows(count: number): string {
  return count === 1
    ? 'the prediction has one row, which is row 0'
    : `the prediction has ${count} rows, 0 to ${count - 1}`;
}

/** The feedback of this row that counts. */
function firstOf(entry: Open | Rewarded, row: number | null): Judged | undefined {
  if (entry[0] === 'open') return (row === null ? null : entry[19]?.[3][row]) ?? undefined;
  const isSame = (entry[9] === undefined) === (row !== null);
  return isSame ? [entry[4], entry[5], entry[6], entry[7]] : undefined;
}

function answerIn(open: Open, row: number | null): Answer {
  const rows = open[19];
  if (rows === undefined) return open[8];
  return row === null ? null : (rows[1][row] ?? null);
}

function rewarded(predictionId: string, open: Open, given: Given, row: number | null, compared: Comparison): Verdict {
  const [, , , deployment, deploymentVersion, route, model, modelVersion, , rule] = open;
  const { feedbackId, truth, label, reward } = given;
  const shadows = open[18] ?? [];
  const rows = open[19];
  const ofRow = rows === undefined ? null : row;
  const ofQuality = row === null ? undefined : rows?.[2][row];
  const data = {
    deployment,
    deploymentVersion,
    predictionId,
    feedbackId,
    route,
    model,
    modelVersion,
    ...compared,
    assessEvery: open[10],
    alpha: open[11],
    windows: open[13],
    online: open[14],
    qualityRows: open[15][0],
    qualityMaxAgeMs: open[15][1],
    probabilities: rows === undefined ? open[15][2] : (ofQuality?.[0] ?? []),
    segments: rows === undefined ? open[15][3] : (ofQuality?.[1] ?? []),
    bounds: open[15][4] ?? [],
    planned: open[17] ?? [],
    row: ofRow,
    before: rows?.[4] ?? noneBefore,
  } satisfies RewardRecorded;
  const of = { deployment, deploymentVersion, predictionId, feedbackId, rule, rewardFunction: open[16], row: ofRow };
  const ofShadows = shadows.flatMap((one) => earned(one, of, given));
  const said: Judged = [feedbackId, truth, label, reward];
  const next = rows === undefined || row === null ? afterAll(open, said) : afterRow(open, rows, row, said, compared);
  const isLast = next[0] === 'rewarded' || next[19]?.[4].rewards === next[19]?.[0];
  return {
    put: [[keyOf(predictionId), next]],
    emit: [...rewardOutputs(data, open), ...ofShadows],
    count: {
      feedbackRewarded: 1,
      ...(isLast ? { predictionsClosedRewarded: 1 } : {}),
      ...(ofShadows.length === 0 ? {} : { shadowsRewarded: ofShadows.length }),
    },
  };
}

function rewardOutputs(data: RewardRecorded, open: Open): readonly Output[] {
  const { deployment, deploymentVersion, predictionId, route, reward, rule, row } = data;
  const [steered, rewardFunction] = [open[12], open[16]];
  if (rule === 'function') {
    const due = { ...data, steered, function: rewardFunction, shadow: false };
    return [{ topic: 'rewards', type: 'reward-due', data: due, key: deployment }];
  }
  const recorded: Output = { topic: 'rewards', type: 'reward-recorded', data, key: deployment };
  if (!steered || reward === null) return [recorded];
  // for the topology that owns the weights of routes
  const seen = { deployment, deploymentVersion, predictionId, route, reward, rule, shadow: false, row };
  return [recorded, { topic: 'route-evidence', type: 'reward-observed', data: seen, key: deployment }];
}

/** Nothing of the prediction is left to be judged. */
function afterAll(open: Open, said: Judged): Rewarded {
  const [, digest, closesMs, deployment] = open;
  const routes = (open[18] ?? []).map(([shadow]) => shadow);
  const rows = open[19];
  if (rows !== undefined) return ['rewarded', digest, closesMs, deployment, ...said, routes, rows[0]];
  if (routes.length > 0) return ['rewarded', digest, closesMs, deployment, ...said, routes];
  return ['rewarded', digest, closesMs, deployment, ...said];
}

function afterRow(open: Open, rows: OpenRows, row: number, said: Judged, compared: Comparison): Open {
  const [count, answers, quality, known, before] = rows;
  const length = Math.max(known.length, row + 1);
  const judgedRows = Array.from({ length }, (_, at) => (at === row ? said : (known[at] ?? null)));
  return openWith(open, { rows: [count, answers, quality, judgedRows, oneMore(before, comparedError(compared))] });
}

function oneMore({ rewards, errors, squaredErrors }: RowsBefore, error: number | null): RowsBefore {
  if (error === null) return { rewards: rewards + 1, errors, squaredErrors };
  return { rewards: rewards + 1, errors: errors + 1, squaredErrors: squaredErrors + error * error };
}
