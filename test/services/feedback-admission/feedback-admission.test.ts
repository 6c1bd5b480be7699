import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { feedbackIdOfCall } from '../../../schemas/derived-ids.ts';
import type { FeedbackReceived } from '../../../schemas/events.ts';
import { createFeedbackAdmission } from '../../../services/feedback-admission/feedback-admission.ts';

let test: TestRuntime;
beforeAll(async () => {
  test = await createTestRuntime();
  await test.runtime.runService(createFeedbackAdmission({ runtime: test.runtime, waitMs: 5_000 }));
});
afterAll(() => test.close());

const predictionId = '0003'.padEnd(32, 'a');

/** Appends one record; resolves with what became of it. */
async function give(
  value: string | Uint8Array | null,
  headers: Record<string, string> = {},
  key: string | null = 'e1',
) {
  const { runtime } = test;
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const [offset] = await runtime.parts.log.append([
    { topic: runtime.topic('feedback'), partition: 1, key, value: bytes, headers },
  ]);
  return await eventually(`the outcome of feedback ${offset}`, async () => {
    for (const topic of ['predictions', 'operations'] as const) {
      for (let partition = 0; partition < runtime.partitions(topic); partition++) {
        for await (const batch of runtime.parts.log.read({ topic: runtime.topic(topic), partition }, { from: 0 })) {
          for (const record of batch) {
            const event = await runtime.decode(topic, record);
            const { source } = event.data as FeedbackReceived;
            if (source?.topic === 'feedback' && source.partition === 1 && source.offset === offset) return event;
          }
        }
      }
    }
    return undefined;
  });
}

/** Appends one record; resolves with all that it was admitted as. */
async function giveAll(value: string | Uint8Array, count: number) {
  const first = (await give(value)).data as FeedbackReceived;
  const { runtime } = test;
  return await eventually(`${count} of feedback ${first.feedbackId}`, async () => {
    const found = [];
    const place = { topic: runtime.topic('predictions'), partition: 3 };
    for await (const batch of runtime.parts.log.read(place, { from: 0 }))
      for (const record of batch) {
        const event = await runtime.decode('predictions', record);
        const data = event.data as FeedbackReceived;
        if (data.source?.offset === first.source?.offset) found.push({ id: event.id, data });
      }
    return found.length === count ? found : undefined;
  });
}

describe('feedback', () => {
  it('goes to the partition that its prediction names', async () => {
    expect(await give(JSON.stringify({ predictionId, truth: 2.5 }))).toMatchObject({
      topic: 'predictions',
      partition: 3,
      key: 'e1',
      type: 'feedback-received',
      data: { predictionId, truth: 2.5, label: null, reward: null, waitMs: 5_000 },
    });
  });

  it('in Avro means the same', async () => {
    const data = { predictionId, truth: null, label: 'good', reward: null };
    const outcome = await give(test.runtime.codec.encode('feedback', 'feedback-given', data), {}, null);
    expect(outcome).toMatchObject({ type: 'feedback-received', key: predictionId, data: { label: 'good' } });
  });

  it('with a value per row becomes one a row, under one id; null says nothing', async () => {
    const of = (data: object) => test.runtime.codec.encode('feedback', 'feedback-given', data);
    const avro = { truth: null, label: null, reward: null, row: null, labels: [], rewards: [], predictionId };
    for (const value of [
      JSON.stringify({ predictionId, truth: [1, null, 3] }),
      of({ ...avro, truths: [1, null, 3] }),
    ]) {
      const all = await giveAll(value, 2);
      expect(all.map(({ data }) => data)).toMatchObject([
        { row: 0, rows: 3, truth: 1, label: null, reward: null },
        { row: 2, rows: 3, truth: 3, label: null, reward: null },
      ]);
      expect(new Set(all.map(({ data }) => data.feedbackId)).size).toBe(1);
      expect(new Set(all.map(({ id }) => id)).size).toBe(2);
    }
    const [one] = await giveAll(JSON.stringify({ predictionId, row: 1, label: 'x' }), 1);
    expect(one?.data).toMatchObject({ row: 1, rows: 0, label: 'x' });
  });

  it('of one own id for several rows is apart by row', async () => {
    const ids = [];
    for (const row of [0, 1, 1]) {
      const [one] = await giveAll(JSON.stringify({ predictionId, row, truth: 1, id: 'row by row' }), 1);
      ids.push([one?.id, one?.data.feedbackId]);
    }
    expect(ids[1]).toEqual(ids[2]);
    expect(ids[0]?.[0]).not.toBe(ids[1]?.[0]);
    expect(ids[0]?.[1]).toBe(ids[1]?.[1]);
  });

  it('that mixes lists, values and rows is refused with what is wrong', async () => {
    const outcome = await give(JSON.stringify({ predictionId, truth: [1, 2], row: 1 }));
    expect(outcome).toMatchObject({
      ...{ topic: 'operations', type: 'feedback-refused' },
      data: { reason: expect.stringContaining('row names one row, and a list has one value per row') },
    });
  });

  it('has an id that follows from its position, or from its source and own id', async () => {
    const body = JSON.stringify({ predictionId, reward: 1 });
    const event = (source: string) =>
      JSON.stringify({ specversion: '1.0', id: 'a/1', source, type: 'f', data: { predictionId, reward: 1 } });
    const ids = [];
    for (const value of [body, body, event('/app'), event('/app'), event('/other')]) ids.push((await give(value)).id);
    expect(ids[0]).not.toBe(ids[1]);
    expect(ids[2]).toBe(ids[3]);
    expect(ids[4]).not.toBe(ids[3]);
    const plain = JSON.stringify({ predictionId, reward: 1, id: 'mine' });
    expect((await give(plain)).id).toBe((await give(plain)).id);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it('of one own id is one per prediction, and compared by its content where it is joined', async () => {
    const other = '0003'.padEnd(32, 'b');
    const told = [
      { predictionId, reward: 1, id: 'case 7' },
      { predictionId, reward: 0, id: 'case 7' },
      { predictionId: other, reward: 1, id: 'case 7' },
    ];
    const [first, changed, elsewhere] = await Promise.all(told.map((one) => give(JSON.stringify(one))));
    const feedbackIdOf = (event: typeof first): string => (event?.data as FeedbackReceived).feedbackId;
    expect(feedbackIdOf(changed)).toBe(feedbackIdOf(first));
    expect(changed?.id).not.toBe(first?.id);
    expect(feedbackIdOf(elsewhere)).not.toBe(feedbackIdOf(first));
  });

  it('that the gateway has taken has the id that its caller was told', async () => {
    const { runtime } = test;
    const one = { truth: 4, label: null, reward: null, row: null };
    const data = { predictionId, ...one, truths: [], labels: [], rewards: [] };
    await runtime.publish([{ topic: 'feedback', type: 'feedback-given', data, key: predictionId, id: 'call-1' }]);
    const told = feedbackIdOfCall('call-1', predictionId);
    const admitted = await eventually('it is admitted', async () => {
      const place = { topic: runtime.topic('predictions'), partition: 3 };
      for await (const batch of runtime.parts.log.read(place, { from: 0 }))
        for (const record of batch) {
          const event = await runtime.decode('predictions', record);
          if ((event.data as FeedbackReceived).feedbackId === told) return event;
        }
      return undefined;
    });
    expect(admitted).toMatchObject({ type: 'feedback-received', data: { truth: 4 } });
  });

  it.each([
    ['no prediction', { truth: 1 }, 'predictionId must be the id of a prediction, got nothing'],
    ['a partition beyond', { predictionId: 'ffff'.padEnd(32, 'a'), truth: 1 }, 'predictionId must be'],
    ['nothing to learn', { predictionId }, 'truth, label or reward must be given'],
    ['text for a number', { predictionId, truth: 'NaN' }, 'truth must be a number, got "NaN"'],
    ['an absurd number', { predictionId, truth: -1e200 }, 'truth must lie within'],
    ['a label without end', { predictionId, label: 'x'.repeat(300) }, 'label must be a text of 1 to 256'],
  ])('with %s is refused by name, and the next one admitted', async (_, body, reason) => {
    const outcome = await give(JSON.stringify(body));
    expect(outcome).toMatchObject({ topic: 'operations', type: 'feedback-refused' });
    expect((outcome.data as unknown as { reason: string }).reason).toContain(reason);
    expect((await give(JSON.stringify({ predictionId, truth: 1 }))).type).toBe('feedback-received');
  });

  it('that is not finite is refused in Avro', async () => {
    for (const truth of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const data = { predictionId, truth, label: null, reward: null };
      const outcome = await give(test.runtime.codec.encode('feedback', 'feedback-given', data));
      expect(outcome.data).toMatchObject({ reason: `truth must be finite, got ${truth}` });
    }
  });

  it('that nobody can read is refused and kept as a dead letter', async () => {
    const { log } = test.runtime.parts;
    const letters = async () => (await log.endOffsets(test.runtime.topic('dead-letters')))[0]!;
    const before = await letters();
    for (const bytes of [Buffer.from([0, 0, 9, 9, 9]), Buffer.from('nonsense'), null]) {
      expect((await give(bytes)).type).toBe('feedback-refused');
    }
    await eventually('three dead letters', async () => (await letters()) === before + 3);
  });

  it('closes each record by one outcome', async () => {
    const end = (await test.runtime.parts.log.endOffsets(test.runtime.topic('feedback')))[1];
    const counters = test.runtime.stats().find(({ task }) => task.endsWith('/feedback/1'))!.counters;
    expect((counters['admitted'] ?? 0) + (counters['refused'] ?? 0)).toBe(end);
  });
});
