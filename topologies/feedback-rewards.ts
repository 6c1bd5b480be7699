/**
 * Feedback joined to its exact prediction. A prediction waits for feedback until its window ends; feedback that is early waits for its
 * prediction. Every feedback ends in exactly one outcome: a reward, or closed as duplicate, contradictory, unmatched, late or
 * not-comparable. The first feedback of a prediction counts.
 *
 * Ledger: predictionsOpened = predictionsClosedRewarded + predictionsClosedUnrewarded + open;
 * feedbackReceived = feedbackRewarded + feedbackDuplicate + feedbackContradictory + feedbackUnmatched + feedbackLate +
 * feedbackNotComparable + feedbackWaiting.
 *
 * Where a rollout is in the shadow, answers of mirrored requests earn what the feedback of their prediction says (`feedback-shadows.ts`).
 *
 * One key per prediction id. After its window an entry stays for another window, so that late feedback is known as such.
 */
import {
  type Effects,
  type InputEvent,
  nothing,
  type Output,
  type StateView,
  type Topology,
} from '../runtime/engine/topology.ts';
import { feedbackIdOfContent } from '../schemas/derived-ids.ts';
import type {
  FeedbackReceived,
  PredictionCompleted,
  PlannedShare,
  PredictionFailed,
  QualityBound,
  RewardRecorded,
  ShadowAnswered,
  WindowTerms,
} from '../schemas/events.ts';
import {
  canEarn,
  early,
  earlyKey,
  earlyTimer,
  earned,
  type ShadowAnswer,
  shadowAnswer,
  takeEarly,
  withShadow,
} from './feedback-shadows.ts';
import { endOf, feedbackWindow, joinWindow, windowTimer } from './feedback-windows.ts';
import {
  type Answer,
  answerOf,
  compare,
  type Judgement,
  judgementProblem,
  probabilitiesOf,
  segmentsOf,
} from './prediction-answer.ts';

export const feedbackRewards: Topology<'predictions'> = {
  name: 'feedback-rewards',
  version: 6,
  input: 'predictions',
  outputs: ['rewards', 'predictions', 'route-evidence'],
  summary: 'joins feedback to its exact prediction and says the reward, or why there is none',

  reads(event) {
    if (event.type === 'prediction-conflicted' || (event.type === 'shadow-answered' && !canEarn(event.data))) return {};
    const { predictionId } = event.data;
    if (!isUsableId(predictionId)) return {};
    const key = keyOf(predictionId);
    if (event.type === 'shadow-answered') return { keys: [key, earlyKey(predictionId)] };
    if (event.type !== 'prediction-completed') return { keys: [key] };
    const { feedbackWindowMs: windowMs, steered } = event.data.terms;
    if (!(windowMs > 0)) return { keys: [key] };
    const shadows = steered ? [earlyKey(predictionId)] : [];
    return { keys: [key, feedbackWindow(event.timeMs, windowMs, event.offset).listKey, ...shadows] };
  },

  fold(event, state) {
    switch (event.type) {
      case 'prediction-completed':
        return completed(event.data, event, state);
      case 'prediction-failed':
        return failed(event.data, event, state);
      case 'feedback-received':
        return received(event.data, event, state);
      case 'shadow-answered':
        return shadowed(event.data, event.timeMs, state);
      case 'prediction-conflicted':
        return nothing;
    }
  },

  onTimer(timer, state) {
    const ofWindow = windowTimer(timer, state, keyOf, isUnrewarded);
    if (ofWindow !== undefined) return ofWindow;
    const ofShadow = earlyTimer(timer.name);
    if (ofShadow !== undefined) return ofShadow;
    const predictionId = timer.name.slice(timerPrefix.length);
    const feedbackId = timer.data;
    if (typeof feedbackId !== 'string') return { delete: [keyOf(predictionId)] };
    const closed = closing(
      feedbackId,
      predictionId,
      null,
      'unmatched',
      'no prediction that awaits feedback came while it waited',
    );
    return { ...closed, delete: [keyOf(predictionId)], count: waitingUnmatched };
  },
};

/** Kept per prediction id, as tuples because hundreds of thousands are open at once. */
type Entry = Waiting | Open | Rewarded | Failed;

type Waiting = readonly [kind: 'waiting', feedbackId: string, ...judgement: JudgementTuple];
type Open = readonly [
  kind: 'open',
  digest: string,
  closesMs: number,
  deployment: string,
  deploymentVersion: number,
  route: string,
  model: string,
  modelVersion: number,
  answer: Answer,
  rule: string,
  assessEvery: number,
  alpha: number,
  steered: boolean,
  windows: readonly WindowTerms[],
  online: readonly string[],
  quality: readonly [
    rows: number,
    maxAgeMs: number,
    probabilities: readonly number[],
    segments: readonly string[],
    bounds?: readonly QualityBound[],
  ],
  rewardFunction: string,
  planned?: readonly PlannedShare[],
  shadows?: readonly ShadowAnswer[],
];
type Rewarded = readonly [
  kind: 'rewarded',
  digest: string,
  closesMs: number,
  deployment: string,
  feedbackId: string,
  truth: number | null,
  label: string | null,
  reward: number | null,
  /** Routes whose answers in the shadow have earned theirs. */
  shadows?: readonly string[],
];
type Failed = readonly [kind: 'failed', digest: string, deployment: string];

type JudgementTuple = readonly [truth: number | null, label: string | null, reward: number | null];

type Place = Pick<InputEvent<'predictions'>, 'key' | 'partition' | 'offset' | 'timeMs'>;

/** How long a failed prediction is remembered, so that feedback for it ends at once. */
const failedKeptMs = 600_000;
const waitMsMax = 30 * 86_400_000;

/** Timers of a single prediction: its feedback waits (data: the feedback's id), or it failed and is remembered. */
const timerPrefix = 'one/';

const opened = { predictionsOpened: 1 };
const waitingUnmatched = { feedbackUnmatched: 1, feedbackWaiting: -1 };

function completed(data: PredictionCompleted, place: Place, state: StateView): Effects {
  const { predictionId, terms } = data;
  if (!isUsableId(predictionId)) throw new RangeError(`predictionId must be 1 to 128 printable ASCII characters`);
  const windowMs = terms.feedbackWindowMs;
  const key = keyOf(predictionId);
  const entry = state.get<Entry>(key);
  if (!(windowMs > 0)) return notAwaited(data, entry);
  if (entry !== undefined && entry[0] !== 'waiting') return again(data, entry[1], place);
  const window = feedbackWindow(place.timeMs, windowMs, place.offset);
  const open: Open = [
    'open',
    data.inputDigest,
    window.closesMs,
    data.deployment,
    data.deploymentVersion,
    data.route,
    data.model,
    data.modelVersion,
    answerOf(data, terms.output),
    terms.reward,
    terms.assessEvery,
    terms.alpha,
    terms.steered,
    terms.windows.filter(({ stream }) => stream === 'feedback'),
    terms.feedbackOnline,
    terms.qualityRows > 0
      ? [terms.qualityRows, terms.qualityMaxAgeMs, probabilitiesOf(data), segmentsOf(data), terms.bounds]
      : [0, 0, [], []],
    terms.rewardFunction,
    // a route that the request named was no draw
    data.routedBy === 'header' ? [] : terms.planned,
  ];
  const { put: listed, setTimers } = joinWindow(window, predictionId, state);
  const before = takeEarly(predictionId, terms.steered ? state : undefined);
  const kept = before.shadows.length === 0 ? open : [...open, before.shadows];
  if (entry === undefined) {
    const { delete: taken, clearTimers } = before;
    return { put: [[key, kept], listed], delete: taken, setTimers, clearTimers, count: opened };
  }
  const [, feedbackId, ...judgement] = entry;
  const settled = settle(predictionId, open, feedbackId, judgement, before.shadows);
  return {
    ...settled,
    put: [[key, kept], listed, ...(settled.put ?? [])],
    delete: before.delete,
    setTimers,
    clearTimers: [timerPrefix + predictionId, ...before.clearTimers],
    count: { ...settled.count, predictionsOpened: 1, feedbackWaiting: -1 },
  };
}

/** A mirrored request was answered: what feedback says of its prediction, that answer earns too. */
function shadowed(data: ShadowAnswered, timeMs: number, state: StateView): Effects {
  const { predictionId } = data;
  if (!canEarn(data) || !isUsableId(predictionId)) return nothing;
  const one = shadowAnswer(data);
  const entry = state.get<Entry>(keyOf(predictionId));
  switch (entry?.[0]) {
    case undefined:
    case 'waiting':
      return early(predictionId, one, timeMs, state);
    case 'open': {
      const shadows = withShadow(entry[18], one);
      if (shadows === undefined || timeMs >= entry[2]) return nothing;
      return { put: [[keyOf(predictionId), [...entry.slice(0, 17), entry[17] ?? [], shadows]]] };
    }
    case 'rewarded': {
      const [, , , deployment, feedbackId, truth, label, reward, known = []] = entry;
      if (known.includes(one[0])) return nothing;
      const { deploymentVersion, reward: rule, rewardFunction } = data;
      const of = { deployment, deploymentVersion, predictionId, feedbackId, rule, rewardFunction };
      const emit = earned(one, of, { truth, label, reward });
      const next = [...entry.slice(0, 8), [...known, one[0]]];
      return { put: [[keyOf(predictionId), next]], emit, count: { shadowsRewarded: emit.length } };
    }
    case 'failed':
      return nothing;
  }
}

/** Nobody asked for feedback: what came before its prediction ends, and nothing is remembered. */
function notAwaited({ predictionId, deployment }: PredictionCompleted, entry: Entry | undefined): Effects {
  const count = { predictionsNotAwaited: 1 };
  if (entry?.[0] !== 'waiting') return { count };
  return {
    ...closing(entry[1], predictionId, deployment, 'unmatched', 'the deployment awaits no feedback'),
    delete: [keyOf(predictionId)],
    clearTimers: [timerPrefix + predictionId],
    count: { ...count, ...waitingUnmatched },
  };
}

/** The outcome of an id that had one: the first stands. */
function again(data: PredictionCompleted, firstInputDigest: string, place: Place): Effects {
  const { predictionId, deployment, clientId, inputDigest, source } = data;
  if (inputDigest === firstInputDigest) return { count: { predictionsRepeated: 1 } };
  return {
    emit: [
      {
        topic: 'predictions',
        type: 'prediction-conflicted',
        data: { predictionId, deployment, clientId, inputDigest, firstInputDigest, source },
        key: place.key,
        partition: place.partition,
      },
    ],
    count: { predictionsConflicted: 1 },
  };
}

function failed(data: PredictionFailed, place: Place, state: StateView): Effects {
  const { predictionId, deployment, inputDigest } = data;
  if (!isUsableId(predictionId)) throw new RangeError(`predictionId must be 1 to 128 printable ASCII characters`);
  const key = keyOf(predictionId);
  const entry = state.get<Entry>(key);
  if (entry !== undefined && entry[0] !== 'waiting') return { count: { predictionsRepeated: 1 } };
  const remembered: Failed = ['failed', inputDigest, deployment];
  const kept = {
    put: [[key, remembered]],
    setTimers: [{ name: timerPrefix + predictionId, dueMs: endOf(place.timeMs, failedKeptMs) }],
  } satisfies Effects;
  if (entry === undefined) return { ...kept, count: { predictionsFailed: 1 } };
  const closed = closing(entry[1], predictionId, deployment, 'unmatched', predictionFailed);
  return { ...kept, ...closed, count: { ...waitingUnmatched, predictionsFailed: 1 } };
}

const predictionFailed = 'the prediction failed: there is no answer to compare with';

function received(data: FeedbackReceived, place: Place, state: StateView): Effects {
  const { feedbackId, predictionId, truth, label, reward } = data;
  const entry = isUsableId(predictionId) ? state.get<Entry>(keyOf(predictionId)) : undefined;
  const isOther = firstFeedbackOf(entry) === feedbackId;
  const close = (outcome: Outcome, deployment: string | null, reason = ''): Effects => {
    const id = isOther ? feedbackIdOfContent(feedbackId, data) : feedbackId;
    const before = isOther ? [`the feedback '${feedbackId}' has said something else before`] : [];
    const why = [...before, ...(reason === '' ? [] : [reason])].join('; ');
    const closed = closing(id, predictionId, deployment, outcome, why);
    return { ...closed, count: { feedbackReceived: 1, [counterOf[outcome]]: 1 } };
  };
  if (!isUsableId(predictionId)) return close('unmatched', null, 'it names no prediction id');
  const problem = judgementProblem(data);
  if (problem !== undefined) return close('not-comparable', null, problem);
  if (entry === undefined) {
    if (!(data.waitMs > 0)) return close('unmatched', null, 'there is no such prediction');
    const waiting: Waiting = ['waiting', feedbackId, truth, label, reward];
    const dueMs = endOf(place.timeMs, Math.min(data.waitMs, waitMsMax));
    return {
      put: [[keyOf(predictionId), waiting]],
      setTimers: [{ name: timerPrefix + predictionId, dueMs, data: feedbackId }],
      count: { feedbackReceived: 1, feedbackWaiting: 1 },
    };
  }
  switch (entry[0]) {
    case 'failed':
      return close('unmatched', entry[2], predictionFailed);
    case 'waiting': {
      const [, firstId, ...first] = entry;
      const outcome = againstFirst(first, data);
      return firstId === feedbackId && outcome === 'duplicate' ? repeated : close(outcome, null);
    }
    case 'rewarded': {
      const [, , closesMs, deployment, firstId, ...first] = entry;
      const outcome = againstFirst([first[0], first[1], first[2]], data);
      if (firstId === feedbackId && outcome === 'duplicate') return repeated;
      return close(place.timeMs >= closesMs ? 'late' : outcome, deployment);
    }
    case 'open': {
      if (place.timeMs >= entry[2]) return close('late', entry[3]);
      const settled = settle(predictionId, entry, feedbackId, [truth, label, reward]);
      return { ...settled, count: { ...settled.count, feedbackReceived: 1 } };
    }
  }
}

/** Id of the one that waits, or that was rewarded. */
function firstFeedbackOf(entry: Entry | undefined): string | undefined {
  switch (entry?.[0]) {
    case 'waiting':
      return entry[1];
    case 'rewarded':
      return entry[4];
    case 'open':
    case 'failed':
    case undefined:
      return undefined;
  }
}

/**
 * The same fact of the service again, beyond its id window. One of the same id that says something else is another feedback, and closed
 * under an id of its own: an id has one outcome.
 */
const repeated: Effects = { count: { feedbackRepeated: 1 } };

function againstFirst([truth, label, reward]: JudgementTuple, other: Judgement): Outcome {
  return truth === other.truth && label === other.label && reward === other.reward ? 'duplicate' : 'contradictory';
}

/** Compares an open prediction with its first feedback. The window goes on when they cannot be compared. */
function settle(
  predictionId: string,
  open: Open,
  feedbackId: string,
  said: JudgementTuple,
  shadows: readonly ShadowAnswer[] = open[18] ?? [],
): Effects {
  const [, digest, closesMs, deployment, deploymentVersion, route, model, modelVersion, answer, rule] = open;
  const [truth, label, reward] = said;
  const rewardFunction = open[16];
  const compared = compare(answer, { truth, label, reward }, rule, rewardFunction !== '');
  if (typeof compared === 'string') {
    return {
      ...closing(feedbackId, predictionId, deployment, 'not-comparable', compared),
      count: { feedbackNotComparable: 1 },
    };
  }
  const once: Rewarded = ['rewarded', digest, closesMs, deployment, feedbackId, ...said];
  const rewarded = shadows.length === 0 ? once : [...once, shadows.map(([shadow]) => shadow)];
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
    probabilities: open[15][2],
    segments: open[15][3],
    bounds: open[15][4] ?? [],
    planned: open[17] ?? [],
  } satisfies RewardRecorded;
  const emit: readonly Output[] =
    compared.rule === 'function'
      ? [
          {
            topic: 'rewards',
            type: 'reward-due',
            data: { ...data, steered: open[12], function: rewardFunction, shadow: false },
            key: deployment,
          },
        ]
      : [{ topic: 'rewards', type: 'reward-recorded', data, key: deployment }, ...observed(data, open[12])];
  const of = { deployment, deploymentVersion, predictionId, feedbackId, rule, rewardFunction };
  const ofShadows = shadows.flatMap((one) => earned(one, of, { truth, label, reward }));
  return {
    put: [[keyOf(predictionId), rewarded]],
    emit: [...emit, ...ofShadows],
    count: {
      feedbackRewarded: 1,
      predictionsClosedRewarded: 1,
      ...(ofShadows.length === 0 ? {} : { shadowsRewarded: ofShadows.length }),
    },
  };
}

/** For the topology that owns the weights of routes. */
function observed(data: RewardRecorded, steered: boolean): readonly Output[] {
  const { deployment, deploymentVersion, predictionId, route, reward, rule } = data;
  if (!steered || reward === null) return [];
  const seen = { deployment, deploymentVersion, predictionId, route, reward, rule, shadow: false };
  return [{ topic: 'route-evidence', type: 'reward-observed', data: seen, key: deployment }];
}

type Outcome = 'duplicate' | 'contradictory' | 'unmatched' | 'late' | 'not-comparable';

const counterOf: Readonly<Record<Outcome, string>> = {
  duplicate: 'feedbackDuplicate',
  contradictory: 'feedbackContradictory',
  unmatched: 'feedbackUnmatched',
  late: 'feedbackLate',
  'not-comparable': 'feedbackNotComparable',
};

function closing(
  feedbackId: string,
  predictionId: string,
  deployment: string | null,
  outcome: Outcome,
  reason: string,
): { readonly emit: readonly Output[] } {
  const data = { feedbackId, predictionId, deployment, outcome, reason };
  return { emit: [{ topic: 'rewards', type: 'feedback-closed', data, key: deployment ?? predictionId }] };
}

function isUnrewarded(entry: unknown): boolean {
  return (entry as Entry | undefined)?.[0] === 'open';
}

const keyOf = (predictionId: string): string => `p/${predictionId}`;

function isUsableId(predictionId: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(predictionId);
}
