import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { Cluster, replyTopic } from './cluster.ts';
import { type Flower, flowers, giants, windowRows } from './iris.ts';
import {
  clientsMissing,
  kcatHeader,
  publishByKcat,
  publishByPython,
  type PublishedLine,
  readByKcat,
  readByPython,
  type ReadFact,
} from './outside-clients.ts';

let cluster: Cluster;
beforeAll(async () => {
  if (!clientsMissing) cluster = await Cluster.start();
});
afterAll(async () => cluster?.close());

const headers = { 'millrace-deployment': 'iris' };
/** Flowers by how their request came. */
const byForm = {
  json: flowers(0, 100),
  avro: flowers(100, 200),
  'event-binary': flowers(200, 250),
  'event-structured': flowers(250, 300),
  kcat: flowers(300, 400),
} as const;
const everyFlower = Object.values(byForm).flat();

describe.skipIf(clientsMissing)('kcat and confluent-kafka for Python', () => {
  it('publish triggers in every form, each of which gets its verdict', async () => {
    const topic = cluster.topic('triggers');
    const payload = { path: 'today.csv' };
    const attributes = { id: 'a-1', source: '/warehouse', type: 'by-event' };
    await publishByPython([
      { topic, key: 'shop-1', form: 'json', value: { name: 'by-json', ...payload } },
      { topic, key: 'shop-1', form: 'avro', value: { name: 'by-avro', payload: JSON.stringify(payload) } },
      { topic, key: 'shop-1', form: 'event-binary', attributes, value: payload },
      { topic, key: 'shop-1', form: 'event-structured', attributes: { ...attributes, id: 'a-2' }, value: payload },
    ]);
    await publishByKcat(topic, [{ key: 'by-key', value: payload }]);
    const handled = await eventuallyFacts('operations', 'trigger-handled', 5);
    expect(handled.map(({ data }) => [data['name'], data['outcome']]).sort()).toEqual([
      ['by-avro', 'unmatched'],
      ['by-event', 'unmatched'],
      ['by-event', 'unmatched'],
      ['by-json', 'unmatched'],
      ['by-key', 'unmatched'],
    ]);
    expect(handled.map(({ data }) => data['triggerId'])).toEqual(expect.arrayContaining(['a-1', 'a-2']));
  });

  it('stream requests in every form; a Python reader finds one answer each, on the partition of the entity', async () => {
    const { kcat, ...byPython } = byForm;
    const topic = cluster.topic('prediction-requests');
    await Promise.all([
      publishByPython(
        Object.entries(byPython).flatMap(([form, rows]) =>
          rows.map((flower) => requestLine(topic, form as PublishedLine['form'], flower)),
        ),
      ),
      publishByKcat(
        topic,
        kcat.map((flower) => ({ key: flower.entity, value: inferBody(flower) })),
        headers,
      ),
    ]);
    const answers = await eventuallyFacts('predictions', 'prediction-completed', everyFlower.length);
    const labels = answers.map(({ data }) => [String(data['entity']), labelOf(data)]).sort(byFirst);
    expect(labels).toEqual(everyFlower.map(({ entity, label }) => [entity, label]));
    for (const { key, partition, data } of answers) {
      expect(key).toBe(data['entity']);
      expect(partition).toBe(Number.parseInt(String(data['predictionId']).slice(0, 4), 16));
    }
    // Their partitioner is not ours, or this would show nothing.
    const moved = answers.filter(
      ({ partition, data }) => (data['source'] as { partition: number }).partition !== partition,
    );
    expect(moved.length).toBeGreaterThan(100);
  });

  it('give feedback in JSON and Avro; each is rewarded once, though some is told twice', async () => {
    const topic = cluster.topic('feedback');
    const answers = await eventuallyFacts('predictions', 'prediction-completed', everyFlower.length);
    const ids = answers.map(({ data }) => String(data['predictionId'])).sort();
    const value = (predictionId: string, i: number): object => ({
      predictionId,
      truth: null,
      label: String(i % 2),
      reward: null,
    });
    const line = (form: PublishedLine['form'], i: number): PublishedLine => {
      const attributes = { id: `f-${i}`, source: '/labels', type: 'label' };
      return { topic, key: ids[i] ?? '', form, attributes, value: value(ids[i] ?? '', i) };
    };
    const range = (from: number, to: number): readonly number[] =>
      Array.from({ length: to - from }, (_, i) => from + i);
    await publishByPython([
      ...range(0, 100).map((i) => line('json', i)),
      ...range(100, 200).map((i) => line('avro', i)),
      ...range(200, 250).map((i) => line('event-binary', i)),
      ...range(200, 250).map((i) => line('event-structured', i)),
    ]);
    await publishByKcat(
      topic,
      range(250, 300).map((i) => ({ key: ids[i] ?? '', value: { predictionId: ids[i], label: String(i % 2) } })),
    );
    const rewards = await eventuallyFacts('rewards', 'reward-recorded', 300);
    expect(rewards.map(({ data }) => data['predictionId']).sort()).toEqual(ids.slice(0, 300));
    for (const { data } of rewards)
      expect(data['reward']).toBe(ids.indexOf(String(data['predictionId'])) % 2 === 0 ? 1 : 0);
  });

  it('read drift, outliers and the audit', async () => {
    const topic = cluster.topic('prediction-requests');
    await publishByKcat(
      topic,
      giants(1_000, 1_000 + 4 * windowRows).map((flower) => ({ key: flower.entity, value: inferBody(flower) })),
      headers,
    );
    await eventuallyFacts('alerts', 'alert-raised', 1);
    const drift = await eventuallyFacts('drift', 'drift-assessed', 1);
    expect(drift.some(({ data }) => data['drifted'] === true)).toBe(true);
    // the alert may come before the second window of them
    await eventually('two windows of outliers', async () => {
      const outliers = await eventuallyFacts('outliers', 'outliers-assessed', 1);
      return outliers.flatMap(({ data }) => data['outliers'] as object[]).length > windowRows;
    });
    const chains = new Map<string, ReadFact[]>();
    for (const link of await eventuallyFacts('audit', 'audit-linked', 1)) {
      const chain = `${String(link.data['topic'])}/${String(link.data['partition'])}`;
      chains.set(chain, [...(chains.get(chain) ?? []), link]);
    }
    expect([...chains.keys()]).toEqual(expect.arrayContaining(['predictions/0', 'predictions/5']));
    for (const links of chains.values()) {
      for (const [i, { data }] of links.entries()) {
        if (i > 0) expect(data['previous']).toBe(links[i - 1]?.data['digest']);
        else expect(data['fromOffset']).toBe(0);
      }
    }
    const kinds = (await readByKcat(cluster.topic('drift'))).map((record) => kcatHeader(record, 'ce_type'));
    expect(kinds).toContain('millrace.drift.drift-assessed.v1');
  });

  it('are answered in JSON on the topic that they ask for, with their correlation id', async () => {
    const topic = cluster.topic(replyTopic);
    await cluster.makeReplyTopic();
    const [flower] = flowers(2_000, 2_001) as [Flower];
    await publishByKcat(cluster.topic('prediction-requests'), [{ key: flower.entity, value: inferBody(flower) }], {
      ...headers,
      kafka_replyTopic: topic,
      kafka_correlationId: 'order-17',
    });
    const [reply] = await eventually('the reply', async () => {
      const replies = await readByKcat(topic);
      return replies.length > 0 ? replies : undefined;
    });
    expect(kcatHeader(reply!, 'kafka_correlationId')).toBe('order-17');
    expect(JSON.parse(reply!.payload)).toMatchObject({
      model_name: 'iris',
      parameters: { route: 'champion', model: 'iris' },
      outputs: [{ name: 'label', data: [flower.label] }, { name: 'probabilities' }],
    });
  });

  it('get a failure that names the position for what nobody can read, and the next record an answer', async () => {
    const [flower] = flowers(2_001, 2_002) as [Flower];
    const topic = cluster.topic('prediction-requests');
    await publishByKcat(
      topic,
      [
        { key: flower.entity, value: { inputs: 'no tensors' } },
        { key: flower.entity, value: inferBody(flower) },
      ],
      headers,
    );
    const outcomes = await eventually('both outcomes', async () => {
      const facts = await readByPython([cluster.topic('predictions')]);
      const found = facts.filter(({ key }) => key === flower.entity);
      return found.length === 2 ? found : undefined;
    });
    expect(outcomes.map(({ type }) => type)).toEqual([
      'millrace.predictions.prediction-failed.v1',
      'millrace.predictions.prediction-completed.v1',
    ]);
    expect(outcomes[0]?.data).toMatchObject({ code: 'INVALID_ARGUMENT', source: { topic: 'prediction-requests' } });
  });

  it('have been answered and rewarded once each, after all of that', async () => {
    const all = await readByPython(['predictions', 'rewards'].map((name) => cluster.topic(name)));
    const of = (type: string) => all.filter((fact) => fact.type === `millrace.${type}.v1`).map(({ data }) => data);
    const entities = of('predictions.prediction-completed').map(({ entity }) => entity);
    expect(new Set(entities).size).toBe(entities.length);
    const rewarded = of('rewards.reward-recorded').map(({ predictionId }) => predictionId);
    expect(rewarded.length).toBe(300);
    expect(new Set(rewarded).size).toBe(300);
  });
});

function inferBody({ row }: Flower): object {
  return { inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: row }] };
}

function requestLine(topic: string, form: PublishedLine['form'], flower: Flower): PublishedLine {
  const { entity, row } = flower;
  const attributes = { id: `r-${entity}`, source: '/greenhouse', type: 'flower-measured' };
  const base = { topic, key: entity, form, headers, attributes };
  if (form !== 'avro') return { ...base, value: inferBody(flower) };
  const data = { '-type': 'millrace.common.Floats', values: row };
  return { ...base, value: { id: null, inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data }] } };
}

async function eventuallyFacts(topic: string, event: string, least: number): Promise<readonly ReadFact[]> {
  return await eventually(
    `${least} ${event}`,
    async () => {
      const facts = await readByPython([cluster.topic(topic)]);
      const found = facts.filter(({ type }) => type === `millrace.${topic}.${event}.v1`);
      return found.length >= least ? found : undefined;
    },
    60_000,
  );
}

/** Of the answer's first tensor, as Python has decoded its union. */
function labelOf(data: ReadFact['data']): unknown {
  const [output] = data['outputs'] as readonly { readonly data: { readonly values: readonly unknown[] } }[];
  return output?.data.values[0];
}

function byFirst([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a) < String(b) ? -1 : 1;
}
