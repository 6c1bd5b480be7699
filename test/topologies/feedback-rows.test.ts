/** Feedback on predictions of several rows: each row has a first feedback of its own. */
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeValue } from '../../runtime/engine/value-codec.ts';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import { judgementsOf } from '../../schemas/feedback-check.ts';
import type { FeedbackReceived, PredictionCompleted, RewardRecorded, Tensor } from '../../schemas/events.ts';
import { feedbackRewards } from '../../topologies/feedback-rewards.ts';
import { completed, failed, feedback, shadowAnswered, tensor, terms } from './prediction-events.ts';

let driver: TopologyDriver<'predictions'>;
beforeEach(async () => {
  driver = await createTopologyDriver(feedbackRewards);
});

const texts = (name: string, values: readonly string[]): Tensor => ({
  ...{ name, datatype: 'BYTES', shape: [values.length] },
  data: { 'millrace.common.Strings': { values } },
});
/** Three rows, answered 100, 95 and 90. */
const predict = (n: number, overrule: Partial<PredictionCompleted> = {}): void => {
  const rows = { rows: 3, outputs: [tensor('y', [3, 1], [100, 95, 90])] };
  driver.pipe({ type: 'prediction-completed', data: completed(n, { ...rows, ...overrule }), key: `entity-${n}` });
};
const give = (n: number, id: string, overrule: Partial<FeedbackReceived> = {}): void => {
  driver.pipe({ type: 'feedback-received', data: feedback(n, id, overrule), key: `entity-${n}` });
};
/** As it is admitted: one a row. */
const giveAll = (n: number, id: string, truths: readonly (number | null)[]): void => {
  const given = {
    predictionId: '',
    truth: null,
    label: null,
    reward: null,
    row: null,
    truths,
    labels: [],
    rewards: [],
  };
  for (const said of judgementsOf(given)) give(n, id, said);
};
/** `row reward` of each reward, `outcome row` of each feedback that earned nothing. */
const said = (): string[] =>
  driver.takeOutputs().flatMap((output) => {
    if (output.type === 'feedback-closed') return [`${output.data.outcome} ${output.data.row}`];
    return output.type === 'reward-recorded' ? [`${output.data.row}: ${output.data.reward}`] : [];
  });
const rewards = (): RewardRecorded[] =>
  driver.takeOutputs().flatMap(({ type, data }) => (type === 'reward-recorded' ? [data] : []));
const reasons = (): string[] =>
  driver.takeOutputs().flatMap(({ type, data }) => (type === 'feedback-closed' ? [data.reason] : [type]));

describe('a value per row', () => {
  it('earns a reward for each row, compared with the answer of that row', () => {
    predict(1);
    giveAll(1, 'f', [97, 95, 91]);
    expect(rewards()).toMatchObject([
      { feedbackId: 'f', row: 0, prediction: 100, truth: 97, error: 3, reward: -9 },
      { feedbackId: 'f', row: 1, prediction: 95, truth: 95, error: 0, reward: -0 },
      { feedbackId: 'f', row: 2, prediction: 90, truth: 91, error: -1, reward: -1 },
    ]);
    const counted = { feedbackReceived: 3, feedbackRewarded: 3, predictionsOpened: 1, predictionsClosedRewarded: 1 };
    expect(driver.counters()).toMatchObject(counted);
  });

  it('says what was said of other rows before it', () => {
    predict(1);
    give(1, 'f', { row: 2, truth: null, reward: 0.5 });
    giveAll(1, 'g', [97, 93]);
    giveAll(1, 'h', [97, 93, null]);
    expect(rewards().map(({ row, before }) => [row, before])).toEqual([
      [2, { rewards: 0, errors: 0, squaredErrors: 0 }],
      [0, { rewards: 1, errors: 0, squaredErrors: 0 }],
      [1, { rewards: 2, errors: 1, squaredErrors: 9 }],
    ]);
  });

  it('null leaves its row to another feedback', () => {
    predict(1);
    giveAll(1, 'f', [97, null, 90]);
    expect(said()).toEqual(['0: -9', '2: 0']);
    giveAll(1, 'g', [null, 94, null]);
    expect(said()).toEqual(['1: -1']);
  });

  it('brings the probabilities and the segments of its row', () => {
    const monitored = {
      ...terms,
      ...{ reward: 'equal', output: 'label', probabilities: 'p', qualityRows: 10, qualityMaxAgeMs: 1_000 },
      segments: [{ name: 'kind', index: 0, categories: [] }],
    };
    predict(1, {
      ...{ rows: 2, terms: monitored, inputs: [texts('kind', ['old', 'new'])] },
      outputs: [texts('label', ['yes', 'no']), tensor('p', [2, 2], [0.1, 0.9, 0.7, 0.3])],
    });
    give(1, 'f', { row: 1, truth: null, label: 'yes' });
    give(1, 'g', { row: 0, truth: null, label: 'yes' });
    expect(rewards()).toMatchObject([
      { row: 1, answer: 'no', label: 'yes', reward: 0, probabilities: [0.7, 0.3], segments: ['kind=new'] },
      { row: 0, answer: 'yes', label: 'yes', reward: 1, probabilities: [0.1, 0.9], segments: ['kind=old'] },
    ]);
  });

  it('asks for the reward of the function once a row', () => {
    predict(1, { terms: { ...terms, rewardFunction: '{}' } });
    giveAll(1, 'f', [97, 95, null]);
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'reward-due', data: { row: 0, prediction: 100, truth: 97, function: '{}' } },
      { type: 'reward-due', data: { row: 1, prediction: 95, truth: 95, function: '{}' } },
    ]);
  });
});

describe('the first feedback of a row', () => {
  it('counts: the same again is a duplicate, another is contradictory, other rows are neither', () => {
    predict(1);
    give(1, 'f', { row: 1, truth: 94 });
    give(1, 'g', { row: 1, truth: 94 });
    give(1, 'h', { row: 1, truth: 90 });
    give(1, 'i', { row: 0, truth: 94 });
    giveAll(1, 'j', [94, 90, 90]);
    expect(said()).toEqual([
      '1: -1',
      'duplicate 1',
      'contradictory 1',
      '0: -36',
      'duplicate 0',
      'contradictory 1',
      '2: 0',
    ]);
    const counted = { feedbackReceived: 7, feedbackRewarded: 3, feedbackDuplicate: 2, feedbackContradictory: 2 };
    expect(driver.counters()).toMatchObject(counted);
  });

  it('under one id for several rows is a feedback of each of them', () => {
    predict(1);
    give(1, 'f', { row: 0, truth: 99 });
    give(1, 'f', { row: 1, truth: 94 });
    give(1, 'f', { row: 1, truth: 94 });
    expect(said()).toEqual(['0: -1', '1: -1']);
    give(1, 'f', { row: 1, truth: 90 });
    const [closed] = driver.takeOutputs();
    expect(closed).toMatchObject({ data: { outcome: 'contradictory', row: 1 } });
    expect((closed?.data as { feedbackId: string }).feedbackId).not.toBe('f');
    expect(driver.counters()).toMatchObject({ feedbackReceived: 3, feedbackRepeated: 1 });
  });

  it('decides whether the prediction is judged by row or as a whole', () => {
    for (const n of [1, 2]) predict(n);
    give(1, 'f', { truth: null, reward: 0.5 });
    give(1, 'g', { row: 0, truth: 99 });
    give(1, 'h', { truth: null, reward: 0.5 });
    expect(reasons()).toEqual(['reward-recorded', "feedback 'f' rewarded the prediction as a whole", '']);
    give(2, 'i', { row: 0, truth: 99 });
    give(2, 'j', { truth: null, reward: 0.5 });
    expect(reasons()).toEqual(['reward-recorded', 'rows of the prediction were rewarded each by itself']);
    expect(driver.counters()).toMatchObject({ feedbackDuplicate: 1, feedbackContradictory: 2 });
  });
});

describe('what is not of this prediction', () => {
  it.each<[string, Partial<FeedbackReceived>, RegExp]>([
    ['a row beyond', { row: 3 }, /it names row 3, but the prediction has 3 rows, 0 to 2/],
    ['a row below', { row: -1 }, /it names row -1/],
    ['too few values', { row: 0, rows: 2 }, /it has 2 values, one per row, but the prediction has 3 rows/],
    ['too many values', { row: 0, rows: 4 }, /it has 4 values/],
    ['one value without a row', { truth: 97 }, /3 rows: give one value per row, or name the row/],
    ['one label without a row', { truth: null, label: 'x' }, /give one value per row/],
  ])('%s is not comparable, and says why; the rows still wait', (_, given, reason) => {
    predict(1);
    give(1, 'f', given);
    const [closed] = driver.takeOutputs();
    expect(closed).toMatchObject({
      type: 'feedback-closed',
      data: { outcome: 'not-comparable', row: given.row ?? null },
    });
    expect((closed?.data as { reason: string }).reason).toMatch(reason);
    giveAll(1, 'g', [100, 95, 90]);
    expect(said()).toHaveLength(3);
    expect(driver.counters()).toMatchObject({ feedbackNotComparable: 1, feedbackRewarded: 3 });
  });

  it.each<[string, Partial<FeedbackReceived>, string]>([
    ['row 0', { row: 0 }, 'null: -100'],
    ['a list of one value', { row: 0, rows: 1 }, 'null: -100'],
    ['row 1', { row: 1 }, 'not-comparable 1'],
    ['a list of two values', { row: 0, rows: 2 }, 'not-comparable 0'],
  ])('of one row: %s', (_, given, outcome) => {
    predict(1, { rows: 1, outputs: [tensor('y', [1, 1], [100])] });
    give(1, 'f', given);
    expect(said()).toEqual([outcome]);
  });

  it('rows beyond the first thousand can be rewarded as a whole only', () => {
    const outputs = [
      tensor(
        'y',
        [1_200, 1],
        Array.from({ length: 1_200 }, (_, row) => row),
      ),
    ];
    predict(1, { rows: 1_200, outputs });
    give(1, 'f', { row: 999, truth: 999 });
    give(1, 'g', { row: 1_000, truth: 1_000 });
    expect(reasons()).toEqual(['reward-recorded', expect.stringContaining('only the first 1000 rows')]);
  });

  it('an output that has not one value per row can be rewarded, and not compared', () => {
    predict(1, { outputs: [tensor('y', [3, 2], [1, 2, 3, 4, 5, 6])] });
    give(1, 'f', { row: 1, truth: 97 });
    give(1, 'g', { row: 1, truth: null, reward: 0.5 });
    expect(said()).toEqual(['not-comparable 1', '1: 0.5']);
  });
});

describe('early feedback on rows', () => {
  it('waits, each row by itself, and is judged when the prediction comes', () => {
    give(1, 'f', { row: 2, truth: 91 });
    give(1, 'g', { row: 0, truth: 97 });
    give(1, 'h', { row: 0, truth: 97 });
    give(1, 'i', { row: 0, truth: 96 });
    give(1, 'j', { row: 7, truth: 96 });
    expect(said()).toEqual(['duplicate 0', 'contradictory 0']);
    expect(driver.counters()['feedbackWaiting']).toBe(3);
    predict(1);
    expect(said()).toEqual(['2: -1', '0: -9', 'not-comparable 7']);
    expect(driver.counters()).toMatchObject({ feedbackReceived: 5, feedbackWaiting: 0, feedbackRewarded: 2 });
    give(1, 'k', { row: 1, truth: 95 });
    expect(said()).toEqual(['1: 0']);
  });

  it('in a list of the wrong length leaves the rows to one of the right length', () => {
    giveAll(1, 'f', [97, 95]);
    giveAll(1, 'g', [97, 95, 91]);
    predict(1);
    expect(said()).toEqual(['not-comparable 0', 'not-comparable 1', '0: -9', '1: 0', '2: -1']);
  });

  it('ends unmatched, each after its own time', () => {
    give(1, 'f', { row: 0 });
    driver.advance(20_000);
    give(1, 'g', { row: 1 });
    driver.advance(30_000);
    expect(said()).toEqual(['unmatched 0']);
    driver.advance(20_000);
    expect(said()).toEqual(['unmatched 1']);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
  });

  it('ends unmatched when the prediction fails, or awaits none', () => {
    for (const n of [1, 2]) giveAll(n, `f${n}`, [97, 95, 91]);
    driver.pipe({ type: 'prediction-failed', data: failed(1), key: 'entity-1' });
    predict(2, { terms: { ...terms, feedbackWindowMs: 0 } });
    expect(said()).toEqual(['unmatched 0', 'unmatched 1', 'unmatched 2', 'unmatched 0', 'unmatched 1', 'unmatched 2']);
    driver.advance(600_000);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
  });

  it('for a thousand rows is judged piece by piece, before anything else', () => {
    const rows = Array.from({ length: 1_000 }, (_, row) => row);
    giveAll(1, 'f', rows);
    predict(1, { rows: 1_000, outputs: [tensor('y', [1_000, 1], rows)] });
    give(1, 'g', { row: 999, truth: 0 });
    const outputs = said();
    expect(outputs.slice(0, 1_000)).toEqual(rows.map((row) => `${row}: 0`));
    expect(outputs.slice(1_000)).toEqual(['contradictory 999']);
    expect(driver.counters()).toMatchObject({ feedbackReceived: 1_001, feedbackWaiting: 0, feedbackRewarded: 1_000 });
    driver.advance(200_000);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
  });

  it('waits in bounded numbers', () => {
    for (const rows of [1_000, 600]) for (let row = 0; row < rows; row++) give(1, 'f', { row, rows, truth: 1 });
    expect(said().filter((one) => one.startsWith('unmatched'))).toHaveLength(100);
    expect(driver.counters()).toMatchObject({ feedbackWaiting: 1_500, feedbackUnmatched: 100 });
  });
});

describe('the window of several rows', () => {
  it('closes for all of them at once: a row that comes later is late', () => {
    for (const n of [1, 2, 3]) predict(n);
    give(1, 'f', { row: 0 });
    giveAll(2, 'g', [100, 95, 90]);
    driver.advance(60_000);
    give(1, 'h', { row: 1 });
    give(1, 'i', { row: 0, truth: 5 });
    expect(said().slice(-2)).toEqual(['late 1', 'late 0']);
    expect(driver.counters()).toMatchObject({
      ...{ predictionsOpened: 3, predictionsClosedRewarded: 1 },
      ...{ predictionsClosedPartly: 1, predictionsClosedUnrewarded: 1 },
    });
    driver.advance(60_000);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
  });
});

describe('answers of mirrored requests, of several rows', () => {
  const orders = [
    ['predict', 'shadow', 'give'],
    ['predict', 'give', 'shadow'],
    ['shadow', 'predict', 'give'],
    ['give', 'shadow', 'predict'],
    ['shadow', 'give', 'predict'],
  ] as const;
  it.each(orders)('earn what feedback says of each row, once: %s, %s, %s', (...order) => {
    const pipes = {
      predict: () => predict(1, { terms: { ...terms, steered: true } }),
      shadow: () => {
        const data = { ...shadowAnswered(1), rows: 3, outputs: [tensor('y', [3, 1], [98, 95, 80])] };
        driver.pipe({ type: 'shadow-answered', data, key: 'entity-1' });
      },
      give: () => {
        give(1, 'f', { row: 0, truth: 97 });
        give(1, 'g', { row: 2, truth: 90 });
      },
    };
    const evidence = (): string[] =>
      driver
        .takeOutputs()
        .flatMap(({ type, data }) => (type === 'reward-observed' ? [`${data.route} ${data.row}: ${data.reward}`] : []));
    for (const what of order) pipes[what]();
    expect(evidence().sort()).toEqual(['canary 0: -1', 'canary 2: -100', 'linear 0: -9', 'linear 2: 0']);
    for (const what of order) pipes[what]();
    expect(evidence(), 'all of it again').toEqual([]);
    give(1, 'h', { row: 1, truth: 96 });
    expect(evidence().sort()).toEqual(['canary 1: -1', 'linear 1: -1']);
  });
});

describe('a state of version 6', () => {
  it('goes on: a feedback that waits is judged, or unmatched when its timer is due', async () => {
    const ids = [1, 2, 3].map((n) => completed(n).predictionId);
    const values = ids.map((id) => [`p/${id}`, encodeValue(['waiting', `f${id}`, 97, null, null])] as const);
    const timers = ids.map((id) => {
      const timer = { dueMs: driver.nowMs + 50_000, reads: undefined, data: `f${id}` };
      return [`one/${id}`, encodeValue(timer)] as const;
    });
    driver = await createTopologyDriver(feedbackRewards, { snapshot: { ...driver.snapshot(), values, timers } });
    predict(1, { rows: 1, outputs: [tensor('y', [1], [100])] });
    expect(said()).toEqual(['null: -9']);
    give(3, 'g', { row: 1 });
    driver.advance(49_999);
    expect(said()).toEqual([]);
    driver.advance(1);
    expect(said().sort()).toEqual(['unmatched 1', 'unmatched null', 'unmatched null']);
    driver.advance(200_000);
    expect([driver.stateKeys(), driver.timerCount()]).toEqual([[], 0]);
  });
});
