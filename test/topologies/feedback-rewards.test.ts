import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { FeedbackClosed, FeedbackReceived, PredictionCompleted, ShadowAnswered } from '../../schemas/events.ts';
import { feedbackRewards } from '../../topologies/feedback-rewards.ts';
import { completed, failed, feedback, idOf, shadowAnswered, tensor, terms } from './prediction-events.ts';

let driver: TopologyDriver<'predictions'>;
beforeEach(async () => {
  driver = await createTopologyDriver(feedbackRewards);
});

const predict = (n: number, overrule: Partial<PredictionCompleted> = {}): void => {
  driver.pipe({ type: 'prediction-completed', data: completed(n, overrule), key: `entity-${n}` });
};
const give = (n: number, id: string, overrule: Partial<FeedbackReceived> = {}): void => {
  driver.pipe({ type: 'feedback-received', data: feedback(n, id, overrule), key: `entity-${n}` });
};
/** `type` of each output, with the outcome of closed feedback. */
const said = (): string[] =>
  driver.takeOutputs().map((output) => (output.type === 'feedback-closed' ? output.data.outcome : output.type));

describe('feedback in time', () => {
  it('earns the reward of the rule, with the error as prediction minus truth', () => {
    predict(1);
    give(1, 'f1', { truth: 97 });
    const outputs = driver.takeOutputs();
    expect(outputs).toHaveLength(1);
    expect(outputs[0]).toMatchObject({
      topic: 'rewards',
      type: 'reward-recorded',
      key: 'diamonds',
      data: {
        deployment: 'diamonds',
        predictionId: idOf(1),
        feedbackId: 'f1',
        route: 'linear',
        prediction: 100,
        truth: 97,
        error: 3,
        reward: -9,
        rule: 'negative-squared-error',
        assessEvery: 10,
        alpha: 0.05,
      },
    });
    expect(driver.counters()).toMatchObject({
      predictionsOpened: 1,
      predictionsClosedRewarded: 1,
      feedbackReceived: 1,
      feedbackRewarded: 1,
    });
  });

  it.each([
    ['negative-absolute-error', { truth: 97 }, -3],
    ['equal', { truth: 97 }, 0],
    ['equal', { truth: 100 }, 1],
    ['equal', { truth: null, label: '100.0' }, 1],
    ['equal', { truth: null, label: ' 1e2' }, 1],
    ['equal', { truth: null, label: '99' }, 0],
    ['equal', { truth: null, label: 'true' }, 0],
    ['negative-squared-error', { truth: null, reward: 0.25 }, 0.25],
    ['negative-squared-error', { truth: 97, reward: 0.25 }, 0.25],
  ])('follows the rule %s for %o', (reward, given, expected) => {
    predict(1, { terms: { ...terms, reward } });
    give(1, 'f1', given);
    expect(driver.takeOutputs()[0]).toMatchObject({ data: { reward: expected } });
  });

  it('calls a class by its number, whatever the label calls it', () => {
    predict(1, { terms: { ...terms, reward: 'equal' }, outputs: [tensor('y', [1], [1])] });
    give(1, 'f1', { truth: null, label: 'True' });
    expect(driver.takeOutputs()[0]).toMatchObject({ data: { reward: 1, answer: '1', label: '1' } });
  });

  it('makes no reward of an answer that no truth can come near', () => {
    for (const [n, reward] of ['negative-squared-error', 'negative-absolute-error', 'equal'].entries()) {
      predict(n, { terms: { ...terms, reward }, outputs: [tensor('y', [1], [1e200])] });
      give(n, `f${n}`, { truth: 97 });
    }
    give(0, 'g', { truth: null, reward: 0.5 });
    expect(said()).toEqual(['not-comparable', 'not-comparable', 'reward-recorded', 'reward-recorded']);
  });

  it('of the same id that says something else is another feedback, before the prediction and after it', () => {
    give(1, 'f1', { truth: 1 });
    give(1, 'f1', { truth: 1 });
    expect(said()).toEqual([]);
    give(1, 'f1', { truth: 2 });
    expect(said()).toEqual(['contradictory']);
    predict(1);
    give(1, 'f1', { truth: 1 });
    give(1, 'f1', { truth: 2 });
    expect(said()).toEqual(['reward-recorded', 'contradictory']);
  });

  it('of the same id that says something else is closed under an id of its own, which names the first', () => {
    const closed = (truth: number): FeedbackClosed[] => {
      give(1, 'f1', { truth });
      return driver.takeOutputs().flatMap((output) => (output.type === 'feedback-closed' ? [output.data] : []));
    };
    closed(1);
    const [waiting] = closed(2);
    predict(1);
    expect(driver.takeOutputs()).toMatchObject([{ type: 'reward-recorded', data: { feedbackId: 'f1', truth: 1 } }]);
    const [rewarded] = closed(2);
    const [third] = closed(3);
    const [unlike] = closed(Number.POSITIVE_INFINITY);
    driver.advance(60_000);
    const [late] = closed(4);
    const reason = expect.stringContaining("'f1'") as string;
    expect([waiting, rewarded, third, unlike, late]).toMatchObject([
      { outcome: 'contradictory', reason },
      { outcome: 'contradictory', reason, feedbackId: waiting?.feedbackId },
      { outcome: 'contradictory', reason },
      { outcome: 'not-comparable', reason },
      { outcome: 'late', reason },
    ]);
    expect(new Set(['f1', ...[waiting, third, unlike, late].map((one) => one?.feedbackId)]).size).toBe(5);
    give(1, 'f2', { truth: 2 });
    expect(driver.takeOutputs(), 'an id that was not used').toMatchObject([{ data: { feedbackId: 'f2', reason: '' } }]);
  });

  it('compares labels', () => {
    const outputs = [
      { name: 'label', datatype: 'BYTES', shape: [1], data: { 'millrace.common.Strings': { values: ['ideal'] } } },
    ];
    for (const n of [1, 2]) predict(n, { outputs, terms: { ...terms, reward: 'equal' } });
    give(1, 'f1', { truth: null, label: 'ideal' });
    give(2, 'f2', { truth: null, label: 'fair' });
    expect(driver.takeOutputs().map(({ data }) => (data as { reward: number }).reward)).toEqual([1, 0]);
  });

  it('is compared with the output that the deployment names', () => {
    predict(1, {
      outputs: [tensor('other', [1], [5]), tensor('price', [1], [50])],
      terms: { ...terms, output: 'price' },
    });
    give(1, 'f1', { truth: 49 });
    expect(driver.takeOutputs()[0]).toMatchObject({ data: { prediction: 50, error: 1 } });
  });
});

describe('early feedback', () => {
  it('waits for its prediction and then earns the reward', () => {
    give(1, 'f1', { truth: 97 });
    expect(said()).toEqual([]);
    expect(driver.counters()['feedbackWaiting']).toBe(1);
    predict(1);
    expect(said()).toEqual(['reward-recorded']);
    expect(driver.counters()).toMatchObject({ feedbackWaiting: 0, feedbackRewarded: 1, predictionsOpened: 1 });
  });

  it('is unmatched when no prediction comes while it waits, and leaves nothing behind', () => {
    give(1, 'f1');
    driver.advance(49_999);
    expect(said()).toEqual([]);
    driver.advance(1);
    expect(said()).toEqual(['unmatched']);
    expect(driver.counters()).toMatchObject({ feedbackUnmatched: 1, feedbackWaiting: 0 });
    expect(driver.stateKeys()).toEqual([]);
    expect(driver.timerCount()).toBe(0);
  });

  it('is unmatched at once when it may not wait', () => {
    give(1, 'f1', { waitMs: 0 });
    expect(said()).toEqual(['unmatched']);
  });

  it('is unmatched when its prediction fails, also afterwards', () => {
    give(1, 'f1');
    driver.pipe({ type: 'prediction-failed', data: failed(1), key: 'entity-1' });
    give(1, 'f2');
    expect(said()).toEqual(['unmatched', 'unmatched']);
    driver.advance(600_000);
    expect(driver.stateKeys()).toEqual([]);
  });

  it('that cannot be compared leaves the prediction open for one that can', () => {
    give(1, 'f1', { truth: null, label: 'ideal' });
    predict(1);
    give(1, 'f2');
    expect(said()).toEqual(['not-comparable', 'reward-recorded']);
  });
});

describe('feedback that comes again', () => {
  it('is a duplicate when it says the same, and contradictory when it does not; the first counts', () => {
    predict(1);
    give(1, 'f1', { truth: 97 });
    give(1, 'f2', { truth: 97 });
    give(1, 'f3', { truth: 96 });
    give(1, 'f4', { truth: 97, reward: 1 });
    expect(said()).toEqual(['reward-recorded', 'duplicate', 'contradictory', 'contradictory']);
    expect(driver.counters()).toMatchObject({
      feedbackReceived: 4,
      feedbackRewarded: 1,
      feedbackDuplicate: 1,
      feedbackContradictory: 2,
    });
  });

  it('is judged against the waiting one before the prediction is there', () => {
    give(1, 'f1', { truth: 97 });
    give(1, 'f2', { truth: 97 });
    give(1, 'f3', { truth: 96 });
    predict(1);
    expect(said()).toEqual(['duplicate', 'contradictory', 'reward-recorded']);
  });

  it('under its own id is the same fact, also beyond the window of ids, and says nothing', () => {
    predict(1);
    give(1, 'f1');
    give(1, 'f1');
    expect(said()).toEqual(['reward-recorded']);
    expect(driver.counters()).toMatchObject({ feedbackReceived: 1, feedbackRepeated: 1 });
  });
});

describe('the window', () => {
  it('closes the prediction; feedback is then late until another window has passed', () => {
    predict(1);
    driver.advance(60_000);
    expect(driver.counters()['predictionsClosedUnrewarded']).toBe(1);
    give(1, 'f1');
    driver.advance(59_999);
    give(1, 'f2');
    expect(said()).toEqual(['late', 'late']);
    driver.advance(1);
    expect(driver.stateKeys()).toEqual([]);
    expect(driver.timerCount()).toBe(0);
    give(1, 'f3');
    driver.advance(50_000);
    expect(said()).toEqual(['unmatched']);
  });

  it('ends for a rewarded prediction too: what comes after it is late', () => {
    predict(1);
    give(1, 'f1');
    driver.advance(60_000);
    give(1, 'f2');
    expect(said()).toEqual(['reward-recorded', 'late']);
    driver.advance(60_000);
    expect(driver.stateKeys()).toEqual([]);
    expect(driver.counters()['predictionsClosedUnrewarded']).toBeUndefined();
  });

  it('is shared: predictions of the same time need one timer, and are counted and forgotten together', () => {
    for (let n = 0; n < 300; n++) predict(n);
    expect(driver.timerCount()).toBe(3);
    for (let n = 0; n < 100; n++) give(n, `f${n}`);
    driver.advance(60_000);
    expect(driver.counters()).toMatchObject({ predictionsClosedRewarded: 100, predictionsClosedUnrewarded: 200 });
    driver.advance(60_000);
    expect(driver.counters()['predictionsForgotten']).toBe(300);
    expect(driver.stateKeys()).toEqual([]);
    expect(driver.timerCount()).toBe(0);
  });

  it('of no length: nothing is kept', () => {
    predict(1, { terms: { ...terms, feedbackWindowMs: 0 } });
    expect(driver.stateKeys()).toEqual([]);
    expect(driver.counters()).toMatchObject({ predictionsNotAwaited: 1 });
  });

  it('of no length ends feedback that was there before the prediction, with the reason', () => {
    give(1, 'f1');
    predict(1, { terms: { ...terms, feedbackWindowMs: 0 } });
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'feedback-closed', data: { outcome: 'unmatched', reason: 'the deployment awaits no feedback' } },
    ]);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
    const counted = { feedbackReceived: 1, feedbackWaiting: 0, feedbackUnmatched: 1, predictionsNotAwaited: 1 };
    expect(driver.counters()).toMatchObject(counted);
  });
});

describe('a prediction that comes again', () => {
  it('with the same input is a repeat: nothing happens', () => {
    predict(1);
    predict(1);
    give(1, 'f1');
    predict(1);
    expect(said()).toEqual(['reward-recorded']);
    expect(driver.counters()).toMatchObject({ predictionsOpened: 1, predictionsRepeated: 2 });
  });

  it('with another input is a conflict, said beside the first, which stands', () => {
    predict(1);
    predict(1, { inputDigest: 'other', clientId: 'c1', outputs: [tensor('y', [1], [0])] });
    give(1, 'f1', { truth: 97 });
    const [conflict, reward] = driver.takeOutputs();
    expect(conflict).toMatchObject({
      topic: 'predictions',
      type: 'prediction-conflicted',
      key: 'entity-1',
      partition: 0,
      data: { inputDigest: 'other', firstInputDigest: 'digest-1', clientId: 'c1' },
    });
    expect(reward).toMatchObject({ data: { prediction: 100 } });
    expect(driver.counters()).toMatchObject({ predictionsConflicted: 1 });
  });

  it('after a failure does not replace it', () => {
    driver.pipe({ type: 'prediction-failed', data: failed(1), key: 'entity-1' });
    predict(1);
    expect(driver.counters()).toMatchObject({ predictionsFailed: 1, predictionsRepeated: 1 });
    expect(driver.counters()['predictionsOpened']).toBeUndefined();
  });
});

describe('what cannot be compared', () => {
  it.each<[string, Partial<PredictionCompleted>, Partial<FeedbackReceived>, RegExp]>([
    ['an output that is missing', { terms: { ...terms, output: 'nothing' } }, {}, /one number or label/],
    ['a prediction that is NaN', { outputs: [tensor('y', [1], [Number.NaN])] }, {}, /one number or label/],
    ['no truth', {}, { truth: null, label: 'x' }, /no truth/],
    ['nothing at all', {}, { truth: null }, /neither truth, label nor reward/],
    ['a truth that is NaN', {}, { truth: Number.NaN }, /finite/],
    ['an infinite reward', {}, { reward: Number.POSITIVE_INFINITY }, /finite/],
  ])('%s: the feedback says why and the prediction stays open', (_, prediction, given, reason) => {
    predict(1, prediction);
    give(1, 'f1', given);
    const [closed] = driver.takeOutputs();
    expect(closed).toMatchObject({ type: 'feedback-closed', data: { outcome: 'not-comparable' } });
    expect((closed?.data as { reason: string }).reason).toMatch(reason);
    expect(driver.counters()).toMatchObject({ feedbackReceived: 1, feedbackNotComparable: 1 });
    driver.advance(60_000);
    expect(driver.counters()['predictionsClosedUnrewarded']).toBe(1);
  });

  it('a reward for several rows is credited without an error', () => {
    predict(1, { rows: 2, outputs: [tensor('y', [2, 1], [1, 2])] });
    give(1, 'f1', { truth: null, reward: 1 });
    expect(driver.takeOutputs()[0]).toMatchObject({ data: { prediction: null, error: null, reward: 1 } });
  });

  it('feedback whose prediction id is none is unmatched, and a prediction with such an id is poison', () => {
    give(1, 'f1', { predictionId: 'ü' });
    expect(said()).toEqual(['unmatched']);
    predict(1, { predictionId: '' });
    expect(driver.takeDeadLetters()).toHaveLength(1);
  });
});

describe('answers of mirrored requests, where a rollout decides', () => {
  const steered = { ...terms, steered: true };
  const shadow = (n: number, overrule: Partial<ShadowAnswered> = {}): void => {
    driver.pipe({ type: 'shadow-answered', data: { ...shadowAnswered(n), ...overrule }, key: `entity-${n}` });
  };
  /** `route reward shadow` of all evidence since the last call. */
  const evidence = (): string[] =>
    driver
      .takeOutputs()
      .flatMap(({ type, data }) =>
        type === 'reward-observed' ? [`${data.route} ${data.reward} ${data.shadow ? 'in the shadow' : 'given'}`] : [],
      );
  const both = ['linear -9 given', 'canary -1 in the shadow'];

  it.each<[string, readonly ('prediction' | 'shadow' | 'feedback')[]]>([
    ['prediction, shadow, feedback', ['prediction', 'shadow', 'feedback']],
    ['prediction, feedback, shadow', ['prediction', 'feedback', 'shadow']],
    ['shadow, prediction, feedback', ['shadow', 'prediction', 'feedback']],
    ['shadow, feedback, prediction', ['shadow', 'feedback', 'prediction']],
    ['feedback, shadow, prediction', ['feedback', 'shadow', 'prediction']],
    ['feedback, prediction, shadow', ['feedback', 'prediction', 'shadow']],
  ])('earn what feedback says, once, in whatever order they come: %s', (_, order) => {
    const pipes = {
      prediction: () => predict(1, { terms: steered }),
      shadow: () => shadow(1),
      feedback: () => give(1, 'f1', { truth: 97 }),
    };
    for (const what of order) pipes[what]();
    expect(evidence().sort()).toEqual([...both].sort());
    for (const what of order) pipes[what]();
    expect(evidence(), 'all of it again').toEqual([]);
  });

  it('earn nothing by a reward that was given, without an answer, or where nobody decides', () => {
    predict(1, { terms: steered });
    shadow(1);
    give(1, 'f1', { truth: null, reward: 0.5 });
    predict(2, { terms: steered });
    shadow(2, { outcome: 'failed', outputs: [], rows: 0 });
    give(2, 'f2', { truth: 97 });
    predict(3);
    shadow(3, { steered: false, reward: '' });
    give(3, 'f3', { truth: 97 });
    expect(evidence()).toEqual(['linear 0.5 given', 'linear -9 given']);
  });

  it('are judged by the function of the deployment, too', () => {
    predict(1, { terms: { ...steered, rewardFunction: '{}' } });
    shadow(1, { rewardFunction: '{}' });
    give(1, 'f1', { truth: 97 });
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'reward-due', data: { route: 'linear', prediction: 100, shadow: false } },
      { type: 'reward-due', data: { route: 'canary', prediction: 98, truth: 97, shadow: true, function: '{}' } },
    ]);
  });

  it('that come before a prediction that never comes are forgotten', () => {
    shadow(1);
    driver.advance(700_000);
    expect(Object.keys(driver.snapshot().values)).toEqual([]);
  });
});
