import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import type { ModelRoute } from '../../../schemas/deployment-document.ts';
import { routeOf } from '../../../schemas/traffic.ts';
import { partitionOfPrediction } from '../../../schemas/derived-ids.ts';
import type { PredictionCompleted } from '../../../schemas/events.ts';
import { inputDigest } from '../../../schemas/input-digest.ts';
import { partitionOf } from '../../../schemas/partitioner.ts';
import { type BatchPolicy, fixedBatches } from '../../../services/model-server/batch-policy.ts';
import { LinearRuntime } from './linear-runtime.ts';
import { openServer, type Outcome, type ServerFixture } from './server-fixture.ts';

const file = (bias: number, more: object = {}) => Buffer.from(JSON.stringify({ weights: [1, 10], bias, ...more }));
const infer = (row: readonly unknown[], more: object = {}) =>
  JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP64', shape: [1, row.length], data: row }], ...more });
const avro = (row: readonly number[], id: string | null = null) =>
  fixture.test.runtime.codec.encode('prediction-requests', 'prediction-requested', {
    id,
    inputs: [
      { name: 'x', datatype: 'FP64', shape: [1, row.length], data: { 'millrace.common.Doubles': { values: row } } },
    ],
  });

let fixture: ServerFixture;
const models = new LinearRuntime();
beforeAll(async () => {
  const batches = (): BatchPolicy => fixedBatches(512); // chosen from measurement, they would follow the load of the machine
  fixture = await openServer(models, { replyTopics: ['answers', 'never-made'], batches });
  await fixture.test.runtime.parts.log.ensureTopics([
    { name: 'answers', partitions: 3, cleanup: 'delete', recordBytesMax: 1e6, replication: 1, minInsyncReplicas: 1 },
  ]);
  await fixture.deploy('linear', file(0.5), file(100.5));
});
afterAll(() => fixture.close());

/** The outcomes that name this record; the first one is the fact. */
async function outcomeOf({ partition, offset }: { partition: number; offset: number }): Promise<Outcome> {
  return await eventually(`the outcome of ${partition}@${offset}`, async () =>
    (await fixture.outcomes()).find(({ type, data }) => {
      const source = 'source' in data ? data.source : null;
      return type !== 'feedback-received' && source?.partition === partition && source.offset === offset;
    }),
  );
}

const valueOf = (outcome: Outcome): number | undefined => {
  expect(outcome.type, JSON.stringify(outcome.data)).toBe('prediction-completed');
  const [output] = (outcome.data as PredictionCompleted).outputs;
  return (Object.values(output!.data)[0] as { values: number[] }).values[0];
};

describe('a streamed request', () => {
  it('in plain JSON is answered with all that explains it', async () => {
    const outcome = await outcomeOf(
      await fixture.request({ key: 'stone-7', value: infer([1, 2]), deployment: 'linear' }),
    );
    const { runtime } = fixture.test;
    const data = outcome.data as PredictionCompleted;
    expect(data).toMatchObject({
      entity: 'stone-7',
      deployment: 'linear',
      deploymentVersion: 1,
      model: 'linear',
      clientId: null,
      source: { topic: 'prediction-requests', partition: partitionOf('stone-7', 6) },
      rows: 1,
      terms: { windowRows: 10 },
    });
    const partitions = runtime.partitions('predictions');
    expect(outcome).toMatchObject({ key: 'stone-7', partition: partitionOf('stone-7', partitions) });
    expect(partitionOfPrediction(data.predictionId, partitions)).toBe(outcome.partition);
    expect(inputDigest(data.inputs)).toBe(data.inputDigest);
    const row = (await runtime.openTable('deployments')).get('linear');
    const { routes } = JSON.parse(row!.document) as { routes: ModelRoute[] };
    const route = routeOf(data.predictionId, routes);
    expect(data).toMatchObject({ route: route!.name, artifactHash: route!.artifactHash });
    expect(valueOf(outcome)).toBe(route!.name === 'route-1' ? 21.5 : 121.5);
  });

  it('in Avro means the same as in JSON, down to the digest', async () => {
    const json = await outcomeOf(await fixture.request({ key: 'a', value: infer([3, 4]), deployment: 'linear' }));
    const binary = await outcomeOf(await fixture.request({ key: 'a', value: avro([3, 4]), deployment: 'linear' }));
    const [first, second] = [json, binary].map(({ data }) => data as PredictionCompleted);
    expect(second!.inputDigest).toBe(first!.inputDigest);
    expect(second!.inputs).toEqual(first!.inputs);
    expect(second!.predictionId).not.toBe(first!.predictionId);
  });

  it('may be a cloud event, structured or binary', async () => {
    const event = { specversion: '1.0', id: 'ce1', source: '/app', type: 'x', data: JSON.parse(infer([1, 0])) };
    const structured = await fixture.request({ key: 'b', value: JSON.stringify(event), deployment: 'linear' });
    const headers = { ce_id: 'ce2', ce_source: '/app', ce_type: 'x', ce_specversion: '1.0' };
    const binary = await fixture.request({ key: 'b', value: avro([1, 0]), deployment: 'linear', headers });
    expect((await outcomeOf(structured)).data).toMatchObject({ clientId: 'ce1' });
    expect((await outcomeOf(binary)).data).toMatchObject({ clientId: 'ce2' });
  });

  it('may name its deployment as MLServer does, or in its parameters', async () => {
    const header = { 'mlserver-model': 'linear' };
    valueOf(await outcomeOf(await fixture.request({ key: 'c', value: infer([1, 0]), headers: header })));
    const parameters = { deployment: 'linear' };
    valueOf(await outcomeOf(await fixture.request({ key: 'c', value: infer([1, 0], { parameters }) })));
  });

  it('without a key has its position as entity', async () => {
    const place = await fixture.request({ value: infer([1, 0]), deployment: 'linear' });
    expect((await outcomeOf(place)).key).toBe(`prediction-requests@${place.partition}@${place.offset}`);
  });

  it('keeps the order of its entity', async () => {
    const sent = [];
    for (let i = 0; i < 50; i++) {
      sent.push(await fixture.request({ key: 'ordered', value: infer([i, 0]), deployment: 'linear' }));
    }
    const last = await outcomeOf(sent.at(-1)!);
    const values = (await fixture.outcomes())
      .filter(({ key, offset }) => key === 'ordered' && offset <= last.offset)
      .map((outcome) => Math.floor(valueOf(outcome)! % 100));
    expect(values).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('with the client id of a request to another deployment is another request', async () => {
    await fixture.deploy('other-linear', file(7));
    const send = (deployment: string) =>
      fixture.request({ key: 'e', value: infer([1, 1], { id: 'order-2' }), deployment });
    expect(valueOf(await outcomeOf(await send('other-linear')))).toBe(18);
    expect(valueOf(await outcomeOf(await send('linear')))).not.toBe(18);
  });

  it('with a client id has one outcome: a repeat says the same, another body is a conflict', async () => {
    const send = (row: readonly number[]) =>
      fixture.request({ key: 'd', value: infer(row, { id: 'order-1' }), deployment: 'linear' });
    const first = await outcomeOf(await send([1, 1]));
    await send([1, 1]);
    const other = await outcomeOf(await send([2, 2]));
    expect(other).toMatchObject({
      type: 'prediction-conflicted',
      data: { clientId: 'order-1', firstInputDigest: (first.data as PredictionCompleted).inputDigest },
    });
    const { predictionId } = first.data as PredictionCompleted;
    const all = (await fixture.outcomes()).filter(({ data }) => data.predictionId === predictionId);
    expect(all.map(({ type }) => type)).toEqual([
      'prediction-completed',
      'prediction-completed',
      'prediction-conflicted',
    ]);
    expect(new Set(all.slice(0, 2).map(({ id }) => id)).size).toBe(1);
    expect(all[1]!.data).toEqual(all[0]!.data);
    expect(all[2]!.id).not.toBe(all[0]!.id);
    const elsewhere = await fixture.request({
      key: 'e',
      value: infer([2, 2], { id: 'order-1' }),
      deployment: 'linear',
    });
    expect((await outcomeOf(elsewhere)).type).toBe('prediction-completed');
  });
});

describe('a bad request by topic', () => {
  const cases: [string, Parameters<ServerFixture['request']>[0], string, string, boolean][] = [
    ['garbage', { value: Buffer.from([7, 1, 2]) }, 'POISON_RECORD', 'neither framed Avro nor JSON', true],
    ['no value', { value: null }, 'POISON_RECORD', 'the record has no value', true],
    ['a schema id that nobody knows', { value: Buffer.from([0, 0, 9, 9, 9, 1]) }, 'UNKNOWN_SCHEMA', '', true],
    ['an event of another topic', { value: Buffer.from('other') }, 'POISON_RECORD', 'not a prediction-requests', true],
    ['JSON of another shape', { value: '{"inputs": 3}' }, 'INVALID_ARGUMENT', "'inputs' must be a list", true],
    ['no deployment', { value: infer([1, 2]) }, 'INVALID_ARGUMENT', 'millrace-deployment', false],
    ['an unknown deployment', { value: infer([1, 2]), deployment: 'liner' }, 'NOT_FOUND', 'deployed are linear', false],
    [
      'too few features',
      { value: infer([1]), deployment: 'linear' },
      'INVALID_ARGUMENT',
      "input 'x': shape must be [-1, 2], got [1, 1]",
      false,
    ],
    [
      'another datatype',
      { value: infer([1, 2]).replace('FP64', 'FP32'), deployment: 'linear' },
      'INVALID_ARGUMENT',
      'datatype must be FP64, got FP32',
      false,
    ],
    [
      'another name',
      { value: infer([1, 2]).replace('"x"', '"z"'), deployment: 'linear' },
      'INVALID_ARGUMENT',
      "the model has no such input; it has 'x' FP64 [-1, 2]",
      false,
    ],
    ['NaN', { value: infer([1, 'NaN']), deployment: 'linear' }, 'INVALID_ARGUMENT', "input 'x': value 1 is NaN", false],
    [
      'a passed deadline',
      { value: infer([1, 2]), deployment: 'linear', headers: { 'millrace-deadline': '2020-01-01T00:00:00Z' } },
      'TIMEOUT',
      'not made before its deadline 2020-01-01',
      false,
    ],
    [
      'a deadline without zone',
      { value: infer([1, 2]), deployment: 'linear', headers: { 'millrace-deadline': '2020-01-01T00:00:00' } },
      'INVALID_ARGUMENT',
      'ISO 8601 with a zone',
      true,
    ],
    [
      'a version that is not there yet',
      { value: infer([1, 2]), deployment: 'linear', headers: { 'millrace-deployment-version': '9' } },
      'UNAVAILABLE',
      'is at version 1, version 9 was asked for',
      false,
    ],
  ];

  it.each(cases)(
    '%s is a failure that says so, and the next record is answered',
    async (name, record, code, message, dead) => {
      const { runtime } = fixture.test;
      const value =
        name === 'an event of another topic'
          ? runtime.codec.encode('triggers', 'triggered', { name: 'x', payload: '{}' })
          : record.value;
      const place = await fixture.request({ ...record, value, key: 'bad' });
      const next = await fixture.request({ key: 'bad', value: infer([1, 2]), deployment: 'linear' });
      const outcome = await outcomeOf(place);
      expect(outcome).toMatchObject({ type: 'prediction-failed', key: 'bad', data: { code, entity: 'bad' } });
      expect((outcome.data as { message: string }).message).toContain(message);
      valueOf(await outcomeOf(next));
      const letters: string[] = [];
      for await (const batch of runtime.parts.log.read(
        { topic: runtime.topic('dead-letters'), partition: 0 },
        { from: 0 },
      )) {
        for (const { headers } of batch) {
          letters.push(
            `${String(headers['__streams.errors.partition'])}@${String(headers['__streams.errors.offset'])}`,
          );
        }
      }
      expect(letters.includes(`${place.partition}@${place.offset}`)).toBe(dead);
    },
  );
});

describe('replies', () => {
  async function replies() {
    const found: { partition: number; correlationId: string; body: Record<string, unknown>; nest: string[] }[] = [];
    for (let partition = 0; partition < 3; partition++) {
      for await (const batch of fixture.test.runtime.parts.log.read({ topic: 'answers', partition }, { from: 0 })) {
        for (const { headers, value } of batch) {
          const correlationId = headers['kafka_correlationId']?.toString('hex') ?? '';
          const nest = ['kafka_nest-is-disposed', 'kafka_nest-err'].map((name) => headers[name]?.toString() ?? '');
          found.push({ partition, correlationId, body: JSON.parse(String(value)) as Record<string, unknown>, nest });
        }
      }
    }
    return found;
  }

  it('go to the topic that is named, with the correlation id as it came, after the prediction', async () => {
    const partition = Buffer.alloc(4);
    partition.writeInt32BE(2);
    const headers = {
      kafka_replyTopic: 'answers',
      kafka_replyPartition: partition,
      kafka_correlationId: Buffer.from('00ff10', 'hex'),
    };
    const place = await fixture.request({ key: 'r', value: infer([1, 0]), deployment: 'linear', headers });
    const bad = await fixture.request({
      key: 'r',
      value: infer([1]),
      deployment: 'linear',
      headers: { ...headers, kafka_correlationId: 'c2' },
    });
    const [good, failed] = await eventually('two replies', async () => {
      const found = await replies();
      return found.length >= 2 ? found : undefined;
    });
    expect(good).toMatchObject({
      partition: 2,
      correlationId: '00ff10',
      body: { model_name: 'linear', outputs: [{ name: 'y' }] },
    });
    // NestJS completes a call by the one, and throws the other.
    expect([good!.nest, failed!.nest]).toEqual([
      ['1', ''],
      ['1', expect.stringContaining('shape')],
    ]);
    expect(failed).toMatchObject({ body: { code: 'INVALID_ARGUMENT', error: expect.stringContaining('shape') } });
    const outcome = (await outcomeOf(place)).data as PredictionCompleted;
    expect(good!.body['parameters']).toMatchObject({ prediction_id: outcome.predictionId, route: outcome.route });
    expect((await outcomeOf(bad)).type).toBe('prediction-failed');
  });

  it('go to no topic that was not allowed, and the request is answered', async () => {
    const headers = { kafka_replyTopic: 'operations', kafka_correlationId: 'x' };
    valueOf(await outcomeOf(await fixture.request({ key: 's', value: infer([1, 0]), deployment: 'linear', headers })));
    const { runtime } = fixture.test;
    const ignored = runtime.stats().reduce((sum, { counters }) => sum + (counters['repliesIgnored'] ?? 0), 0);
    expect(ignored).toBe(1);
    expect(await runtime.parts.log.endOffsets(runtime.topic('operations'))).toEqual([0, 0, 0]);
  });

  it('to a topic that nobody made have an outcome that says so, and the partition goes on', async () => {
    const headers = { kafka_replyTopic: 'never-made', kafka_correlationId: 'x' };
    const place = await fixture.request({ key: 't', value: infer([1, 0]), deployment: 'linear', headers });
    const { predictionId } = (await outcomeOf(place)).data as PredictionCompleted;
    valueOf(await outcomeOf(await fixture.request({ key: 't', value: infer([2, 0]), deployment: 'linear' })));
    const { runtime } = fixture.test;
    const topic = runtime.topic('operations');
    const partition = partitionOf(predictionId, 3);
    const fact = await eventually('it is said', async () => {
      for await (const records of runtime.parts.log.read({ topic, partition }, { from: 0 }))
        for (const record of records) {
          const event = await runtime.decode('operations', record);
          if (event.type === 'operation-recorded' && event.data.object === predictionId) return event.data;
        }
      return undefined;
    });
    expect(fact).toMatchObject({ action: 'reply', outcome: 'NOT_FOUND', actor: 'model-server' });
  });
});

describe('batches', () => {
  it('of one partition run in one call', async () => {
    const { runtime } = fixture.test;
    models.calls.length = 0;
    const topic = runtime.topic('prediction-requests');
    const headers = { 'millrace-deployment': 'linear' };
    await runtime.parts.log.append(
      Array.from({ length: 200 }, (_, i) => ({ topic, partition: 3, key: `k${i}`, value: avro([i, 0]), headers })),
    );
    await outcomeOf({ partition: 3, offset: (await runtime.parts.log.endOffsets(topic))[3]! - 1 });
    expect(models.calls.reduce((sum, rows) => sum + rows, 0)).toBe(200);
    expect(models.calls.length).toBeLessThanOrEqual(6);
  });

  it('close each record by exactly one outcome, and the ledger agrees', async () => {
    const { runtime } = fixture.test;
    const ends = await runtime.parts.log.endOffsets(runtime.topic('prediction-requests'));
    const total = ends.reduce((sum, end) => sum + end, 0);
    const closed = await eventually('every request closed', () => {
      const counters = runtime.stats().filter(({ task }) => task.startsWith('model-server/'));
      const sum = (name: string): number => counters.reduce((all, task) => all + (task.counters[name] ?? 0), 0);
      const outcomes = sum('completed') + sum('failed') + sum('conflicted');
      return outcomes === total ? { handled: sum('handled'), outcomes } : undefined;
    });
    expect(closed).toEqual({ handled: total, outcomes: total });
  });
});

// Behind the batches: how many requests came one by one before is what their policy has learnt.
describe('when what it is about happened', () => {
  it('may be said by a request: in its parameters, a header, or as a cloud event', async () => {
    const at = '2026-01-31T12:00:00.500Z';
    const ms = Date.parse(at);
    const value = infer([1, 0]);
    const ce = { ce_id: 'ce-t', ce_source: '/app', ce_type: 'x', ce_specversion: '1.0', ce_time: at };
    const asked = [
      { value: infer([1, 0], { parameters: { event_time: at } }), headers: { 'millrace-event-time': '1' } },
      { value: infer([1, 0], { parameters: { event_time: ms } }) },
      { value, headers: { 'millrace-event-time': '2026-01-31T13:00:00.500+01:00' } },
      { value, headers: ce },
      { value },
    ];
    const times = [];
    for (const request of asked) {
      const outcome = await outcomeOf(await fixture.request({ key: 't', deployment: 'linear', ...request }));
      times.push((outcome.data as PredictionCompleted).eventTime);
    }
    expect(times).toEqual([ms, ms, ms, ms, null]);
    const bad = await fixture.request({ value, deployment: 'linear', headers: { 'millrace-event-time': 'yesterday' } });
    expect((await outcomeOf(bad)).data).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/event time.*'yesterday'/) as string,
    });
  });
});
