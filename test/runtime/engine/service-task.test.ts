import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryLog } from '../../../runtime/adapters/memory-log.ts';
import { deadLetterHeader } from '../../../runtime/engine/dead-letter.ts';
import { header, textHeader } from '../../../runtime/engine/envelope.ts';
import type { IdentifiedOutput, Service, ServiceRecord, ServiceTask } from '../../../runtime/engine/service.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { idOf, said, say, sum, World } from './world.ts';

/** Answers each record under an id that follows from the request. */
function answering(
  answer: (record: ServiceRecord) => IdentifiedOutput,
  rest: Partial<Service<'registry' | 'triggers'>> = {},
): Service<'registry' | 'triggers'> {
  return {
    name: 'answerer',
    inputs: ['registry'],
    outputs: ['operations'],
    summary: 'answers each record',
    handle: async (batch) => ({ outputs: batch.map(answer) }),
    ...rest,
  };
}

const plain = (record: ServiceRecord): IdentifiedOutput => ({ ...say(record.meta.id), id: `answer-${record.meta.id}` });

describe('a service on a closed topic', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  const answers = async (): Promise<string[]> => (await world.records('operations')).map(idOf);

  it('says the same ids again after a crash between append and commit', async () => {
    let faults = 1;
    const runtime = await world.open({ commitFault: () => (faults-- > 0 ? 'before' : undefined) });
    await runtime.publish([aliasRequest('a', 1), aliasRequest('a', 2)]);
    await (await runtime.runService(answering(plain))).ready();
    expect(await answers()).toEqual([
      'answer-request-a-1',
      'answer-request-a-2',
      'answer-request-a-1',
      'answer-request-a-2',
    ]);
    expect(sum(runtime, 'handled')).toBe(2);
  });

  it('sends its outbox when it opens, and never handles twice, when it commits first', async () => {
    let handled = 0;
    let faults = 1;
    const service = answering(plain, {
      first: 'commit',
      handle: async (batch) => {
        handled += batch.length;
        return { outputs: batch.map(plain), put: [['handled', handled]] };
      },
    });
    const runtime = await world.open({ commitFault: () => (faults-- > 0 ? 'after' : undefined) });
    await runtime.publish([aliasRequest('a', 1)]);
    await (await runtime.runService(service)).ready();
    expect([handled, await answers()]).toEqual([1, ['answer-request-a-1']]);
    await runtime.close();
    const second = await world.open();
    await second.publish([aliasRequest('a', 2)]);
    await (await second.runService(service)).ready();
    expect(handled).toBe(2);
    expect([...new Set(await answers())]).toEqual(['answer-request-a-1', 'answer-request-a-2']);
  });

  it.each([
    ['append', 'before', ['1', '2']],
    ['append', 'after', ['2']],
    ['commit', 'before', ['1', '2']],
    ['commit', 'after', ['2']],
  ] as const)(
    'that does the %s first and whose commit is lost %s it was done tells the service of commits that it knows of only',
    async (first, lost, known) => {
      let faults = 1;
      const told: string[] = [];
      const handled: string[] = [];
      const service = answering(plain, {
        first,
        handle: async (batch) => {
          const versions = batch.map(({ event }) => String((event?.data as { version?: number }).version));
          handled.push(...versions);
          return { outputs: batch.map(plain), committed: () => void told.push(...versions) };
        },
      });
      const runtime = await world.open({ commitFault: () => (faults-- > 0 ? lost : undefined) });
      await runtime.publish([aliasRequest('a', 1)]);
      await (await runtime.runService(service)).ready();
      await runtime.publish([aliasRequest('a', 2)]);
      await eventually('both are handled', () => sum(runtime, 'handled') === 2);
      await eventually('the second is told', () => told.includes('2'));
      expect(told).toEqual(known);
      // What the store has is not handled again; what it does not have is.
      expect(handled).toEqual(lost === 'after' ? ['1', '2'] : ['1', '1', '2']);
      expect([...new Set(await answers())]).toEqual(['answer-request-a-1', 'answer-request-a-2']);
    },
  );

  it('that keeps values has them again when the store lost them, from its newest snapshot, and says nothing twice', async () => {
    const told: string[] = [];
    const counting = answering(plain, {
      keeps: true,
      opened: async (task) => void told.push(`${await task.get<number>('count')}${task.again ? ' so far' : ''}`),
      handle: async (batch, task) => {
        const count = ((await task.get<number>('count')) ?? 0) + batch.length;
        return { outputs: batch.map(plain), put: [['count', count]] };
      },
    });
    const options = { snapshotEveryRecords: 2 };
    let runtime = await world.open(options);
    await (await runtime.runService(counting)).ready();
    for (let n = 1; n <= 4; n++) {
      await runtime.publish([aliasRequest('a', n)]);
      await eventually(`${n} are handled`, () => sum(runtime, 'handled') === n);
    }
    await eventually('a snapshot is named', async () => (await world.records('snapshots')).length > 1);
    await runtime.close();
    world.state.wipe();
    await createMemoryLog({ storage: world.log }).truncateBefore({ topic: 'registry', partition: 0 }, 1);
    runtime = await world.open(options);
    await (await runtime.runService(counting)).ready();
    await runtime.publish([aliasRequest('a', 5)]);
    await eventually('the next is handled', () => sum(runtime, 'handled') === 5);
    // `opened` is told of what the snapshot has, and again of what was rebuilt from there, if anything was
    expect(told[0]).toBe('undefined');
    expect(told.at(-1)).toBe('4');
    expect(told.slice(1, -1).every((before) => before.endsWith(' so far'))).toBe(true);
    expect(await answers()).toEqual([1, 2, 3, 4, 5].map((n) => `answer-request-a-${n}`));
  });

  it('that keeps values handles what is new although the log lost both its start and what the group had reported', async () => {
    const keeping = answering(plain, { keeps: true });
    let runtime = await world.open();
    await (await runtime.runService(keeping)).ready();
    await runtime.publish([1, 2, 3, 4].map((n) => aliasRequest('a', n)));
    await eventually('all are handled', () => sum(runtime, 'handled') === 4);
    await runtime.close();
    world.state.wipe();
    await createMemoryLog({ storage: world.log }).truncateBefore({ topic: 'registry', partition: 0 }, 1);
    world.log.topics.get('registry')?.partitions[0]?.records.splice(1);
    expect(await createMemoryLog({ storage: world.log }).endOffsets('registry')).toEqual([2]);
    runtime = await world.open();
    await (await runtime.runService(keeping)).ready();
    await runtime.publish([aliasRequest('a', 5)]);
    await eventually('the new one is answered', async () => (await answers()).includes('answer-request-a-5'));
  });

  it('drops what is said to it twice, says gaps as facts, and passes ticks over', async () => {
    const runtime = await world.open();
    const { type, topic, data } = aliasRequest('a', 1);
    const value = runtime.codec.encode(topic, type, data);
    for (const ordinal of [4, 5, 5, 9])
      await world.append('registry', { ce_id: `toy/0.1/registry/0/${ordinal}` }, value);
    await world.append('registry', { ce_id: 'toy/0.0/registry/0/10' }, value);
    await world.append('registry', { ce_id: 't', [header.control]: 'tick' }, Buffer.alloc(0));
    await (
      await runtime.runService(answering(({ meta }) => ({ ...say(meta.id), id: `answer-${meta.offset}` })))
    ).ready();
    const [gap, ...rest] = await said(world, runtime);
    expect(JSON.parse(gap?.[1] ?? '')).toMatchObject({ origin: 'toy/0', fromOrdinal: 6, toOrdinal: 8 });
    expect(rest.map(([id]) => id)).toEqual(['answer-0', 'answer-1', 'answer-3']);
    expect(runtime.stats()[0]?.counters).toMatchObject({
      in: 6,
      handled: 3,
      repeats: 1,
      gaps: 1,
      staleBranches: 1,
      ticks: 1,
    });
  });

  it('does not take a poisoned record for a gap, and takes its replay once', async () => {
    const runtime = await world.open();
    const { type, topic, data } = aliasRequest('a', 1);
    const value = runtime.codec.encode(topic, type, data);
    await world.append('registry', { ce_id: 'toy/0.0/registry/0/1' }, value);
    await world.append('registry', { ce_id: 'toy/0.0/registry/0/2' }, Buffer.from('garbage'));
    await world.append('registry', { ce_id: 'toy/0.0/registry/0/3' }, value);
    await (
      await runtime.runService(answering(({ meta }) => ({ ...say(meta.id), id: `answer-${meta.offset}` })))
    ).ready();
    expect(runtime.stats()[0]?.counters).toMatchObject({ handled: 2, dead: 1 });
    expect(sum(runtime, 'gaps')).toBe(0);
    const control = { [header.control]: 'replay', [header.replay]: 'answerer/registry/0@1' };
    for (let times = 0; times < 2; times++) await world.append('registry', { ce_id: 'mended', ...control }, value);
    await eventually('the second replay was refused', () => sum(runtime, 'replaysRefused') === 1);
    expect(await answers()).toEqual(['answer-0', 'answer-2', 'answer-3']);
  });

  it('goes on when an answer cannot be written, and says which', async () => {
    const runtime = await world.open();
    await runtime.publish([aliasRequest('a', 1), aliasRequest('a', 2)]);
    const service = answering((record) => {
      const output = plain(record);
      return record.meta.id.endsWith('1') ? { ...output, key: 'k'.repeat(600_000) } : output;
    });
    await (await runtime.runService(service)).ready();
    const [refused, good] = await world.records('operations');
    expect((await runtime.decode('operations', refused as never)).data).toMatchObject({
      action: 'output-refused',
      outcome: 'TOO_LARGE',
      object: 'answerer/registry/0',
    });
    expect(idOf(good as never)).toBe('answer-request-a-2');
    expect(sum(runtime, 'outputsRefused')).toBe(1);
  });

  it.each(['before', 'after'] as const)(
    'commits what changed outside of batches, also when the first try is lost %s it was done and nothing comes',
    async (lost) => {
      const faults: ('before' | 'after')[] = [];
      const left = new Set(['over']);
      let task: ServiceTask | undefined;
      const service = answering(plain, {
        handle: async (batch, given) => {
          task = given;
          return { outputs: batch.map(plain), put: [['over', true]] };
        },
        rest: () => (left.size === 0 ? undefined : { delete: [...left], committed: () => left.clear() }),
      });
      const runtime = await world.open({ commitFault: () => faults.shift() });
      await runtime.publish([aliasRequest('a', 1)]);
      await (await runtime.runService(service)).ready();
      expect(await task?.get('over')).toBe(true);
      faults.push(lost, lost);
      task?.changed();
      await eventually('it is committed', () => left.size === 0);
      expect(await task?.get('over')).toBeUndefined();
      expect(runtime.stats().map(({ status }) => status)).toEqual(['running']);
    },
  );

  it('begins at the position of its group when its state is lost', async () => {
    const first = await world.open();
    await first.publish([aliasRequest('a', 1), aliasRequest('a', 2)]);
    await (await first.runService(answering(plain))).ready();
    await first.close();
    world.state.wipe();
    const second = await world.open();
    await second.publish([aliasRequest('a', 3)]);
    await (await second.runService(answering(plain))).ready();
    expect(await answers()).toEqual([1, 2, 3].map((n) => `answer-request-a-${n}`));
  });

  it('begins where the log can be read when what it had not read has expired, and counts that', async () => {
    const runtime = await world.open();
    await runtime.publish([1, 2, 3].map((version) => aliasRequest('a', version)));
    await createMemoryLog({ storage: world.log }).truncateBefore({ topic: 'registry', partition: 0 }, 2);
    await (await runtime.runService(answering(plain))).ready();
    expect(await answers()).toEqual(['answer-request-a-3']);
    expect(sum(runtime, 'expiredUnread')).toBe(2);
    expect(world.complaints.map(({ message }) => message)).toContain('the service begins where its log can be read');
  });

  it('handles again what lies between when its store goes back while it runs', async () => {
    const runtime = await world.open();
    await runtime.publish([aliasRequest('a', 1)]);
    await (await runtime.runService(answering(plain))).ready();
    const older = world.state.copy();
    await runtime.publish([aliasRequest('a', 2)]);
    await eventually('the second is handled', () => sum(runtime, 'handled') === 2);
    world.state.setBack(older);
    await runtime.publish([aliasRequest('a', 3)]);
    await eventually('all are handled', () => sum(runtime, 'handled') === 3);
    expect([...new Set(await answers())]).toEqual([1, 2, 3].map((n) => `answer-request-a-${n}`));
  });
});

describe('a service on an open topic', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  it('ignores stamps, ticks, replays and claims that outsiders make up', async () => {
    const seen: (string | undefined)[] = [];
    const runtime = await world.open({ partitions: { triggers: 1 } });
    const secret = await runtime.parts.blobs.put(Buffer.from('a secret'));
    const stampOf = (ordinal: number): Record<string, string> => ({ ce_id: `toy/0.0/triggers/0/${ordinal}` });
    const forged: Record<string, string>[] = [
      stampOf(9),
      stampOf(9),
      stampOf(1),
      { [header.control]: 'tick' },
      { [header.control]: 'replay', [header.replay]: 'answerer/triggers/0@0' },
      { [header.claim]: `${secret.hash}:${secret.sizeBytes}` },
      { [header.claim]: 'nonsense' },
      { traceparent: 'x'.repeat(300_000) },
    ];
    for (const [n, headers] of forged.entries()) await world.append('triggers', headers, Buffer.from(`record ${n}`));
    const service = answering(
      (record) => {
        seen.push(record.raw.value?.toString());
        return { ...say('seen'), id: `answer-${record.meta.offset}`, traceparent: record.meta.traceparent };
      },
      { inputs: ['triggers'] },
    );
    await (await runtime.runService(service)).ready();
    expect(seen).toEqual(forged.map((_, n) => `record ${n}`));
    expect((await world.records('operations')).every((record) => textHeader(record, 'traceparent') === undefined)).toBe(
      true,
    );
  });

  it('is refused as the input of a fold', async () => {
    const runtime = await world.open();
    const topology = { name: 'bad', version: 1, input: 'triggers', outputs: [], summary: '', fold: () => ({}) };
    await expect(runtime.runTopology(topology as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('writes the poison that it finds to the dead letters, however big', async () => {
    const runtime = await world.open({ partitions: { triggers: 1 } });
    await world.append('triggers', {}, Buffer.alloc(999_990, 1), null);
    const service = answering(plain, {
      inputs: ['triggers'],
      handle: async (batch) => ({
        outputs: [],
        deadLetters: batch.map(({ raw }) => ({ record: raw, error: new Error('no trigger') })),
      }),
    });
    await (await runtime.runService(service)).ready();
    const [letter] = await world.records('dead-letters');
    expect(textHeader(letter as never, deadLetterHeader.message)).toBe('no trigger');
    const claim = textHeader(letter as never, header.claim) ?? '';
    expect((await runtime.parts.blobs.get(claim.split(':')[0] ?? '')).length).toBe(999_990);
  });
});
