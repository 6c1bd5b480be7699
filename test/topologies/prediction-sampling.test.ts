import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { ObservationsSampled, PredictionCompleted } from '../../schemas/events.ts';
import { predictionSampling } from '../../topologies/prediction-sampling.ts';
import { completed, feedback, idOf, tensor, terms } from './prediction-events.ts';

let driver: TopologyDriver<'predictions'>;
beforeEach(async () => {
  driver = await createTopologyDriver(predictionSampling, { partition: 2 });
});

const predict = (n: number, overrule: Partial<PredictionCompleted> = {}): void => {
  driver.pipe({ type: 'prediction-completed', data: completed(n, overrule), key: `entity-${n}` });
};

function batches(): ObservationsSampled[] {
  return driver.takeOutputs().map(({ topic, type, key, data }) => {
    expect([topic, type]).toEqual(['observations', 'observations-sampled']);
    expect(key).toBe((data as ObservationsSampled).deployment);
    return data as ObservationsSampled;
  });
}

describe('a batch', () => {
  it('goes out with 100 rows: columns in request order, with offset, prediction and route of each row', () => {
    for (let n = 0; n < 101; n++) predict(n, { route: n % 2 === 0 ? 'linear' : 'trees' });
    const [batch, ...more] = batches();
    expect(more).toEqual([]);
    expect(batch).toMatchObject({
      deployment: 'diamonds',
      deploymentVersion: 1,
      partition: 2,
      windowRows: 200,
      windowMinRows: 20,
      windowMaxAgeMs: 10_000,
    });
    expect(batch?.offsets).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(batch?.predictionIds[99]).toBe(idOf(99));
    expect(batch?.routes.slice(0, 2)).toEqual(['linear', 'trees']);
    expect(batch?.columns.map(({ name }) => name)).toEqual(['x[0]', 'x[1]']);
    expect(batch?.columns[1]?.values.slice(0, 3)).toEqual([0, 10, 20]);
    expect(batch?.outputs).toEqual([{ name: 'y', values: Array.from({ length: 100 }, () => 100) }]);
    driver.advance(1_000);
    expect(batches()[0]?.predictionIds).toEqual([idOf(100)]);
    expect(driver.stateKeys()).toEqual([]);
    expect(driver.timerCount()).toBe(0);
  });

  it('has the time that each request says it is about, else when it was received', () => {
    predict(0, { receivedAt: 5_000, eventTime: 1_000 });
    predict(1, { receivedAt: 6_000 });
    driver.advance(1_000);
    expect(batches()[0]?.times).toEqual([1_000, 6_000]);
  });

  it('goes out when its first row is a second old, not before', () => {
    predict(1);
    driver.advance(600);
    predict(2);
    driver.advance(399);
    expect(batches()).toEqual([]);
    driver.advance(1);
    expect(batches()).toMatchObject([{ predictionIds: [idOf(1), idOf(2)] }]);
  });

  it('counts the second anew for rows that a full batch left over', () => {
    for (let n = 0; n < 60; n++) predict(n);
    driver.advance(600);
    for (let n = 60; n < 110; n++) predict(n);
    expect(batches()).toHaveLength(1);
    driver.advance(999);
    expect(batches()).toEqual([]);
    driver.advance(1);
    expect(batches()[0]?.predictionIds).toHaveLength(10);
  });

  it('holds one deployment version and one layout', () => {
    predict(1);
    predict(2, { deploymentVersion: 2 });
    predict(3, { deployment: 'wine' });
    predict(4, { inputs: [tensor('a', [1], [1])] });
    expect(batches()).toMatchObject([{ predictionIds: [idOf(1)], columns: [{ name: 'x[0]' }, { name: 'x[1]' }] }]);
    driver.advance(1_000);
    const rest = batches().map(({ deployment, deploymentVersion, predictionIds }) => [
      deployment,
      deploymentVersion,
      predictionIds,
    ]);
    expect(rest).toEqual([
      ['diamonds', 1, [idOf(4)]],
      ['diamonds', 2, [idOf(2)]],
      ['wine', 1, [idOf(3)]],
    ]);
  });

  it('splits predictions of many rows', () => {
    const values = Array.from({ length: 500 }, (_, i) => i);
    predict(1, {
      rows: 250,
      inputs: [tensor('x', [250, 2], values)],
      outputs: [tensor('y', [250], values.slice(250))],
    });
    const made = batches();
    driver.advance(1_000);
    made.push(...batches());
    expect(made.map(({ predictionIds }) => predictionIds.length)).toEqual([100, 100, 50]);
    expect(made.flatMap(({ columns }) => columns[1]?.values ?? [])).toEqual(values.filter((v) => v % 2 === 1));
    expect(new Set(made.flatMap(({ offsets }) => offsets))).toEqual(new Set([0]));
  });

  it('is smaller when its rows are wide', () => {
    const wide = Array.from({ length: 999 }, (_, i) => i);
    for (let n = 0; n < 20; n++) predict(n, { inputs: [tensor('x', [1, 999], wide)] });
    expect(batches()[0]?.predictionIds).toHaveLength(19);
  });
});

describe('columns', () => {
  it('take the tensor name when it has one column; booleans and numeric texts are numbers, other texts are missing', () => {
    predict(1, {
      inputs: [
        tensor('carat', [1, 1], [0.5]),
        { name: 'new', datatype: 'BOOL', shape: [1], data: { 'millrace.common.Booleans': { values: [true] } } },
        {
          name: 'big',
          datatype: 'INT64',
          shape: [1],
          data: { 'millrace.common.Strings': { values: ['9007199254740993'] } },
        },
        { name: 'cut', datatype: 'BYTES', shape: [1], data: { 'millrace.common.Strings': { values: ['Ideal'] } } },
      ],
    });
    driver.advance(1_000);
    expect(batches()[0]?.columns).toEqual([
      { name: 'carat', values: [0.5] },
      { name: 'new', values: [1] },
      { name: 'big', values: [9007199254740992] },
      { name: 'cut', values: [Number.NaN] },
    ]);
  });
});

describe('what is not sampled is counted', () => {
  it('feedback, deployments without windows, tensors that are no tables, and very wide rows', () => {
    driver.pipe({ type: 'feedback-received', data: feedback(1, 'f'), key: 'k' });
    predict(1, { terms: { ...terms, windowRows: 0 } });
    predict(2, { rows: 2 });
    predict(3, { outputs: [tensor('y', [3], [1, 2, 3])] });
    predict(4, {
      inputs: [
        tensor(
          'x',
          [1, 2001],
          Array.from({ length: 2001 }, () => 0),
        ),
      ],
    });
    driver.advance(10_000);
    expect(batches()).toEqual([]);
    expect(driver.counters()).toMatchObject({ predictionsNotSampled: 1, predictionsUnreadable: 3 });
    expect(driver.takeDeadLetters()).toEqual([]);
  });
});
