/**
 * Feedback joined to its exact prediction. A prediction waits for feedback until its window ends; feedback that is early waits for its
 * prediction. Every feedback ends in exactly one outcome: a reward, or closed as duplicate, contradictory, unmatched, late or
 * not-comparable. Of a prediction of several rows each row has its own (`feedback-judging.ts`).
 *
 * Ledger: predictionsOpened = predictionsClosedRewarded + predictionsClosedPartly + predictionsClosedUnrewarded + open;
 * feedbackReceived = feedbackRewarded + feedbackDuplicate + feedbackContradictory + feedbackUnmatched + feedbackLate +
 * feedbackNotComparable + feedbackWaiting. A prediction whose last row earned is rewarded; with some rows it is closed partly.
 *
 * Where a rollout is in the shadow, answers of mirrored requests earn what the feedback of their prediction says (`feedback-shadows.ts`).
 *
 * One key per prediction id. After its window an entry stays for another window, so that late feedback is known as such.
 */
import { type Effects, type InputEvent, nothing, type StateView, type Topology } from '../runtime/engine/topology.ts';
import type { FeedbackReceived, PredictionCompleted, PredictionFailed, ShadowAnswered } from '../schemas/events.ts';
import {
  closedAs,
  type Entry,
  type Failed,
  isUsableId,
  judgedRows,
  keyOf,
  type Open,
  openEntry,
  openWith,
  type Rewarded,
  waitsOf,
} from './feedback-entries.ts';
import { closed, judged, type Outcome, repeated, type Verdict } from './feedback-judging.ts';
import {
  canEarn,
  early,
  earlyKey,
  earlyTimer,
  earned,
  shadowAnswer,
  takeEarly,
  withShadow,
} from './feedback-shadows.ts';
import { settled, unmatched, wait, waitsTimer, waitTimerAgain } from './feedback-waits.ts';
import { endOf, feedbackWindow, joinWindow, windowTimer } from './feedback-windows.ts';
import { judgementProblem } from './prediction-answer.ts';

export const feedbackRewards: Topology<'predictions'> = {
  name: 'feedback-rewards',
  version: 7,
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
    const other = windowTimer(timer, state, keyOf, closedAs) ?? waitsTimer(timer, state) ?? earlyTimer(timer.name);
    if (other !== undefined) return other;
    const predictionId = timer.name.slice(failedTimer.length);
    return timer.data === undefined ? { delete: [keyOf(predictionId)] } : waitTimerAgain(predictionId, timer.timeMs);
  },
};

type Place = Pick<InputEvent<'predictions'>, 'key' | 'partition' | 'offset' | 'timeMs'>;

/** How long a failed prediction is remembered, so that feedback for it ends at once. */
const failedKeptMs = 600_000;
/** In a state of version 6, with data, also that of a feedback which waits. */
const failedTimer = 'one/';

const opened = { predictionsOpened: 1 };

function completed(data: PredictionCompleted, place: Place, state: StateView): Effects {
  const { predictionId, terms } = data;
  if (!isUsableId(predictionId)) throw new RangeError(`predictionId must be 1 to 128 printable ASCII characters`);
  const windowMs = terms.feedbackWindowMs;
  const key = keyOf(predictionId);
  const entry = state.get<Entry>(key);
  if (!(windowMs > 0)) return notAwaited(data, entry);
  const waits = waitsOf(entry);
  if (isSettled(entry)) return again(data, entry[1], place);
  const window = feedbackWindow(place.timeMs, windowMs, place.offset);
  const { put: listed, setTimers } = joinWindow(window, predictionId, state);
  const { shadows, delete: taken, clearTimers } = takeEarly(predictionId, terms.steered ? state : undefined);
  const open = openEntry(data, window.closesMs, shadows);
  if (waits === undefined) return { put: [[key, open], listed], delete: taken, setTimers, clearTimers, count: opened };
  const met = settled(predictionId, open, waits, place.timeMs);
  return {
    put: [listed, ...(met.put ?? [])],
    delete: taken,
    setTimers: [...setTimers, ...(met.setTimers ?? [])],
    clearTimers: [...clearTimers, ...(met.clearTimers ?? [])],
    emit: met.emit ?? [],
    count: { ...met.count, ...opened },
  };
}

/** A mirrored request was answered: what feedback says of its prediction, that answer earns too. */
function shadowed(data: ShadowAnswered, timeMs: number, state: StateView): Effects {
  const { predictionId, deployment, deploymentVersion, reward: rule, rewardFunction } = data;
  if (!canEarn(data) || !isUsableId(predictionId)) return nothing;
  const one = shadowAnswer(data);
  const key = keyOf(predictionId);
  const entry = state.get<Entry>(key);
  const of = { deployment, deploymentVersion, predictionId, rule, rewardFunction };
  switch (entry?.[0]) {
    case undefined:
    case 'waits':
    case 'waiting':
      return early(predictionId, one, timeMs, state);
    case 'open': {
      const shadows = withShadow(entry[18], one);
      if (shadows === undefined || timeMs >= entry[2]) return nothing;
      const emit = judgedRows(entry).flatMap(([row, feedbackId, truth, label, reward]) =>
        earned(one, { ...of, feedbackId, row }, { truth, label, reward }),
      );
      const count = emit.length === 0 ? {} : { shadowsRewarded: emit.length };
      return { put: [[key, openWith(entry, { shadows })]], emit, count };
    }
    case 'rewarded': {
      const [, , , , feedbackId, truth, label, reward, known = [], rows] = entry;
      if (known.includes(one[0])) return nothing;
      const emit = earned(one, { ...of, feedbackId, row: null }, { truth, label, reward });
      const next = [...entry.slice(0, 8), [...known, one[0]], ...(rows === undefined ? [] : [rows])];
      return { put: [[key, next]], emit, count: { shadowsRewarded: emit.length } };
    }
    case 'failed':
      return nothing;
  }
}

/** It had its outcome. */
function isSettled(entry: Entry | undefined): entry is Open | Rewarded | Failed {
  return entry !== undefined && entry[0] !== 'waits' && entry[0] !== 'waiting';
}

/** Nobody asked for feedback: what came before its prediction ends, and nothing is remembered. */
function notAwaited({ predictionId, deployment }: PredictionCompleted, entry: Entry | undefined): Effects {
  const count = { predictionsNotAwaited: 1 };
  const waits = waitsOf(entry);
  if (waits === undefined) return { count };
  const ended = unmatched(predictionId, waits, deployment, 'the deployment awaits no feedback');
  return { ...ended, delete: [keyOf(predictionId)], count: { ...count, ...ended.count } };
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
  const waits = waitsOf(entry);
  if (isSettled(entry)) return { count: { predictionsRepeated: 1 } };
  const remembered: Failed = ['failed', inputDigest, deployment];
  const kept = {
    put: [[key, remembered]],
    setTimers: [{ name: failedTimer + predictionId, dueMs: endOf(place.timeMs, failedKeptMs) }],
  } satisfies Effects;
  if (waits === undefined) return { ...kept, count: { predictionsFailed: 1 } };
  const ended = unmatched(predictionId, waits, deployment, predictionFailed);
  return { ...kept, ...ended, count: { ...ended.count, predictionsFailed: 1 } };
}

const predictionFailed = 'the prediction failed: there is no answer to compare with';

function received(data: FeedbackReceived, place: Place, state: StateView): Effects {
  const { predictionId } = data;
  const close = (outcome: Outcome, deployment: string | null, reason: string): Effects =>
    onceReceived(closed(data, { predictionId, deployment, outcome, reason }));
  if (!isUsableId(predictionId)) return close('unmatched', null, 'it names no prediction id');
  const entry = state.get<Entry>(keyOf(predictionId));
  switch (entry?.[0]) {
    case 'open':
    case 'rewarded':
      return onceReceived(judged(predictionId, entry, data, place.timeMs));
    case 'failed': {
      const problem = judgementProblem(data);
      return problem === undefined
        ? close('unmatched', entry[2], predictionFailed)
        : close('not-comparable', entry[2], problem);
    }
    case undefined:
    case 'waits':
    case 'waiting':
      return wait(data, place.timeMs, waitsOf(entry));
  }
}

function onceReceived(verdict: Verdict): Effects {
  return verdict === repeated ? verdict : { ...verdict, count: { ...verdict.count, feedbackReceived: 1 } };
}
