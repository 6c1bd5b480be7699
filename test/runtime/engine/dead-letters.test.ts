import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deadLetterHeader } from '../../../runtime/engine/dead-letter.ts';
import { header, textHeader } from '../../../runtime/engine/envelope.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { said, say, scripted, sum, World } from './world.ts';

const answers = scripted((event) => ({ emit: [say(`${event.key} v${event.data.version}`)] }));

describe('records that cannot be folded', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  /** The bytes of one good request. */
  async function goodValue(version: number): Promise<Buffer> {
    const runtime = await world.open();
    const { topic, type, data } = aliasRequest('m', version);
    return runtime.codec.encode(topic, type, data);
  }

  const codes = async (): Promise<(string | undefined)[]> =>
    (await world.records('dead-letters')).map((record) => textHeader(record, deadLetterHeader.code));

  it('are a dead letter each, with the original bytes, and the next record is folded', async () => {
    const value = await goodValue(1);
    await world.append('registry', {}, value);
    await world.append('registry', { ce_id: 'no-value' }, null);
    await world.append('registry', { ce_id: 'garbage' }, Buffer.from('garbage'), 'the key');
    await world.append('registry', { ce_id: 'unknown-schema' }, Buffer.from([0, 0, 1, 226, 64, 1]));
    await world.append('registry', { ce_id: 'gone', [header.claim]: `${'ab'.repeat(32)}:9` }, Buffer.alloc(0));
    await world.append('registry', { ce_id: 'made-up', [header.claim]: '../../etc/passwd' }, Buffer.alloc(0));
    await world.append('registry', { ce_id: 'good' }, value, 'm');
    const runtime = await world.open();
    await (await runtime.runTopology(answers)).ready();
    await eventually('the good one is answered', async () => (await world.records('operations')).length === 1);
    expect(await codes()).toEqual([
      'POISON_RECORD',
      'POISON_RECORD',
      'POISON_RECORD',
      'UNKNOWN_SCHEMA',
      'NOT_FOUND',
      'INVALID_ARGUMENT',
    ]);
    const garbage = (await world.records('dead-letters'))[2];
    expect([garbage?.key?.toString(), garbage?.value?.toString(), textHeader(garbage as never, 'ce_id')]).toEqual([
      'the key',
      'garbage',
      'garbage',
    ]);
  });

  it('fit on the topic of dead letters even when they just fitted their own', async () => {
    await world.open();
    await world.append('registry', { ce_id: 'big' }, Buffer.alloc(999_990, 7));
    await world.append('registry', { ce_id: 'long', note: Buffer.alloc(500_000, 65) }, Buffer.from('garbage'));
    await world.append('registry', { ce_id: 'good' }, await goodValue(2), 'm');
    const runtime = await world.open();
    await (await runtime.runTopology(answers)).ready();
    await eventually('the good one is answered', async () => (await world.records('operations')).length === 1);
    const [big, long] = await world.records('dead-letters');
    expect(big?.headers[header.claim]).toBeDefined();
    expect(long?.headers['note']).toBeUndefined();
  });

  it('wait while the registry cannot be reached, and are folded when it can', async () => {
    let away = true;
    let asked = 0;
    const foreign = Buffer.concat([Buffer.from([0, 0, 0, 3, 231]), (await goodValue(7)).subarray(5)]);
    await world.append('registry', { ce_id: 'foreign' }, foreign, 'm');
    const runtime = await world.open({
      parts: ({ registry }) => ({
        registry: {
          register: (subject, schema) => registry.register(subject, schema),
          latest: (subject) => registry.latest(subject),
          close: () => registry.close(),
          schema: async (id) => {
            asked += 1;
            if (away) throw new MillraceError('UNAVAILABLE', 'the registry is away');
            const known = await registry.latest('millrace.registry.AliasRequested');
            return await registry.schema(id === 999 ? (known ?? id) : id);
          },
        },
      }),
    });
    await runtime.runTopology(answers);
    await eventually('the registry was asked again', () => asked >= 2);
    expect(await codes()).toEqual([]);
    expect(world.complaints.map(({ message }) => message)).toContain('cannot be looked up; the partition waits');
    away = false;
    await eventually('it is folded', async () => (await world.records('operations')).length === 1);
    expect((await said(world, runtime)).map(([, detail]) => detail)).toEqual(['m v7']);
  });

  it('are judged anew when the registry knows the schema later', async () => {
    let known = false;
    const foreign = Buffer.concat([Buffer.from([0, 0, 0, 3, 231]), (await goodValue(8)).subarray(5)]);
    const runtime = await world.open({
      parts: ({ registry }) => ({
        registry: {
          register: (subject, schema) => registry.register(subject, schema),
          latest: (subject) => registry.latest(subject),
          close: () => registry.close(),
          schema: async (id) => {
            if (id === 999 && !known) throw new MillraceError('UNKNOWN_SCHEMA', 'no such schema');
            return await registry.schema((await registry.latest('millrace.registry.AliasRequested')) ?? id);
          },
        },
      }),
    });
    await runtime.runTopology(answers);
    await world.append('registry', { ce_id: 'too-early' }, foreign, 'm');
    await eventually('the first is dead', async () => (await codes()).length === 1);
    known = true;
    await world.append('registry', { ce_id: 'in-time' }, foreign, 'm');
    await eventually('the second is folded', async () => (await world.records('operations')).length === 1);
    expect(await codes()).toEqual(['UNKNOWN_SCHEMA']);
  });

  it('are replayed once, by the task that they name, while they are dead', async () => {
    let cured = false;
    const topology = (name: string) =>
      scripted(
        (event) => {
          if (event.data.alias === 'ill' && !cured) throw new Error('ill');
          return { emit: [say(`${name} ${event.key} v${event.data.version}`)] };
        },
        { name },
      );
    const runtime = await world.open();
    await runtime.publish([aliasRequest('m', 1, 'ill')]);
    await (await runtime.runTopology(topology('one'))).ready();
    await (await runtime.runTopology(topology('two'))).ready();
    await eventually('both gave up', () => sum(runtime, 'dead') === 2);
    cured = true;
    const letter = (await world.records('dead-letters'))[0];
    for (let times = 0; times < 2; times++)
      await world.append(
        'registry',
        { ce_id: 'request-m-1', [header.control]: 'replay', [header.replay]: 'one/registry/0@0' },
        letter?.value ?? null,
        letter?.key?.toString() ?? null,
      );
    await eventually('the second replay was refused', () => sum(runtime, 'replaysRefused') === 1);
    await eventually('the other passed both over', () => sum(runtime, 'replaysOfOthers') === 2);
    expect((await said(world, runtime)).map(([, detail]) => detail)).toEqual(['one m v1']);
  });

  it('stop nothing when a value cannot be stored: the fold that wanted it is found and dies alone', async () => {
    const runtime = await world.open();
    const topology = scripted((event) => ({
      put: [[`k${event.data.version}`, event.data.alias === 'ill' ? Symbol('ill') : event.data.version]],
      emit: [say(`v${event.data.version}`)],
    }));
    await runtime.publish([aliasRequest('m', 1), aliasRequest('m', 2, 'ill'), aliasRequest('m', 3)]);
    await (await runtime.runTopology(topology)).ready();
    await eventually('two are answered', async () => (await world.records('operations')).length === 2);
    expect((await said(world, runtime)).map(([id, detail]) => [id.split('/').at(-1), detail])).toEqual([
      ['1', 'v1'],
      ['2', 'v3'],
    ]);
    expect((await world.records('dead-letters')).map((record) => textHeader(record, deadLetterHeader.offset))).toEqual([
      '1',
    ]);
  });
});
