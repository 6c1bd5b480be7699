import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { partitionOf } from '../../../schemas/partitioner.ts';
import { Cluster, clusterMissing } from './cluster.ts';
import { type Flower, flowers, giants, windowRows } from './iris.ts';
import { topicFacts } from './topic-facts.ts';

let cluster: Cluster;
beforeAll(async () => {
  if (!clusterMissing) cluster = await Cluster.start();
});
afterAll(async () => cluster?.close());

describe.skipIf(clusterMissing)('the platform on Kafka, Redis, S3 and a schema registry', () => {
  it('answers every request once, over a restart in the middle of the stream', async () => {
    await request(flowers(0, 300));
    await eventually('first answers', async () => (await answers()).length > 0);
    await request(flowers(300, 350));
    await cluster.stop();
    await cluster.open();
    await request(flowers(350, 400));
    await eventually('all answers', async () => (await answers()).length >= 400, 60_000);
    expect((await answers()).map(({ entity, label }) => ({ entity, label })).sort(byEntity)).toEqual(
      flowers(0, 400).map(({ entity, label }) => ({ entity, label: String(label) })),
    );
  });

  it('rewards each feedback once, over a restart', async () => {
    const told = (await answers()).slice(0, 200);
    const ids = told.map(({ predictionId }) => predictionId).sort();
    await giveFeedback(ids.slice(0, 150));
    await eventually('first rewards', async () => (await rewards()).length > 0);
    await cluster.stop();
    await cluster.open();
    // The second half of the first ones again, under the same ids.
    await giveFeedback(ids.slice(75));
    await eventually('all rewards', async () => (await rewards()).length >= ids.length, 60_000);
    const given = await rewards();
    expect(given.map(({ predictionId }) => predictionId).sort()).toEqual(ids);
    expect(new Set(given.map(({ reward }) => reward))).toEqual(new Set([1]));
    expect(counted('feedback-rewards', 'feedbackRewarded')).toBe(ids.length);
    expect(counted('feedback-rewards', 'predictionsOpened')).toBe(400);
  });

  it('finds everything on the log again when Redis has lost it', async () => {
    await cluster.stop();
    expect(await cluster.loseState()).toBeGreaterThan(0);
    await cluster.open();
    const ids = (await answers()).map(({ predictionId }) => predictionId).sort();
    const rewarded = (await rewards()).map(({ predictionId }) => predictionId);
    // Some that had their reward, and some that had none.
    const told = ids.slice(0, 250);
    await giveFeedback(told);
    const expected = [...new Set([...rewarded, ...told])].sort();
    expect(expected.length).toBeGreaterThan(rewarded.length);
    await eventually('all rewards', async () => (await rewards()).length >= expected.length, 60_000);
    expect((await rewards()).map(({ predictionId }) => predictionId).sort()).toEqual(expected);
    expect(counted('feedback-rewards', 'feedbackRewarded')).toBe(expected.length);
    expect(counted('feedback-rewards', 'predictionsOpened')).toBe(400);
  });

  it('sees no drift in such flowers, and drift and outliers in giants', async () => {
    await request(giants(1_000, 1_000 + 4 * windowRows));
    await eventually('an alert', async () => (await topicFacts(cluster.platform, 'alerts')).length > 0, 60_000);
    const [alert] = await topicFacts(cluster.platform, 'alerts');
    expect(alert).toMatchObject({ type: 'alert-raised', data: { deployment: 'iris', kind: 'drift' } });
    const verdicts = (await topicFacts(cluster.platform, 'drift')).map(({ data }) => 'drifted' in data && data.drifted);
    expect(verdicts).toContain(true);
    expect(verdicts[0]).toBe(false);
    // the alert may come before the second window of them
    const flagged = async () => (await topicFacts(cluster.platform, 'outliers')).flatMap(({ data }) => data.outliers);
    await eventually('two windows of outliers', async () => (await flagged()).length > windowRows, 60_000);
  });

  it('keeps an audit that holds, and explains a prediction with every link checked', async () => {
    const { intact, chains } = await cluster.client.audit.verify();
    expect(chains.flatMap(({ problems }) => problems)).toEqual([]);
    expect(intact).toBe(true);
    const of = (topic: string) => chains.filter((chain) => chain.topic === topic);
    expect(of('predictions').reduce((sum, chain) => sum + chain.recordsVerified, 0)).toBeGreaterThan(400);
    const [{ predictionId } = { predictionId: '' }] = await rewards();
    const explain = async () => (await cluster.client.explain(predictionId)) as Explained;
    const { verified, causes, effects } = await eventually('the reward in the explanation', async () => {
      const explained = await explain().catch(() => undefined);
      return explained?.effects.some(({ kind }) => kind === 'reward') === true ? explained : undefined;
    });
    expect([...causes, ...effects].filter((link) => !link.verified)).toEqual([]);
    expect(verified).toBe(true);
    expect(causes.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['prediction', 'route', 'deployment', 'model-version', 'artifact']),
    );
    expect(effects.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['feedback', 'reward']));
  });

  it('says what became of a trigger that no flow waits for', async () => {
    const { triggerId } = await cluster.client.trigger('flowers-arrived', { path: 'today.csv' });
    const handled = await eventually('the verdict', async () => {
      const facts = await topicFacts(cluster.platform, 'operations');
      return facts.find(({ type, data }) => type === 'trigger-handled' && data.name === 'flowers-arrived');
    });
    expect(handled.data).toMatchObject({ triggerId, flows: [], outcome: 'unmatched' });
  });
});

interface Explained {
  readonly verified: boolean;
  readonly causes: readonly { readonly kind: string; readonly verified: boolean }[];
  readonly effects: readonly { readonly kind: string; readonly verified: boolean }[];
}

async function request(rows: readonly Flower[]): Promise<void> {
  const { runtime } = cluster.platform;
  await runtime.parts.log.append(
    rows.map(({ entity, row }) => ({
      topic: runtime.topic('prediction-requests'),
      partition: partitionOf(entity, runtime.partitions('prediction-requests')),
      key: entity,
      value: Buffer.from(JSON.stringify({ inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: row }] })),
      headers: { 'millrace-deployment': 'iris' },
    })),
  );
}

async function giveFeedback(predictionIds: readonly string[]): Promise<void> {
  const { runtime } = cluster.platform;
  await runtime.parts.log.append(
    predictionIds.map((predictionId) => ({
      topic: runtime.topic('feedback'),
      partition: partitionOf(predictionId, runtime.partitions('feedback')),
      key: predictionId,
      value: Buffer.from(JSON.stringify({ predictionId, label: '0', id: `about ${predictionId}` })),
      headers: {},
    })),
  );
}

async function answers() {
  const facts = await topicFacts(cluster.platform, 'predictions');
  return facts.flatMap((fact) => {
    if (fact.type === 'prediction-failed') throw new Error(`${fact.data.entity}: ${fact.data.message}`);
    if (fact.type !== 'prediction-completed') return [];
    const { predictionId, entity, outputs } = fact.data;
    return [{ predictionId, entity, label: String(Object.values(outputs[0]?.data ?? {})[0]?.values[0]) }];
  });
}

async function rewards() {
  const facts = await topicFacts(cluster.platform, 'rewards');
  return facts.flatMap(({ type, data }) => (type === 'reward-recorded' ? [data] : []));
}

function counted(topology: string, counter: string): number {
  return cluster.platform.runtime
    .stats()
    .filter(({ task }) => task.startsWith(`${cluster.topic(topology)}/`))
    .reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
}

function byEntity(a: { entity: string }, b: { entity: string }): number {
  return a.entity < b.entity ? -1 : 1;
}
