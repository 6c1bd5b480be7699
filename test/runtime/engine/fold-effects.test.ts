import { describe, expect, it } from 'vitest';
import { deadLetterHeader } from '../../../runtime/engine/dead-letter.ts';
import { decodeValue, encodeValue } from '../../../runtime/engine/value-codec.ts';
import type { Effects } from '../../../runtime/engine/topology.ts';
import { createTopologyDriver } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { say, scripted } from './world.ts';

/** Folds `alias` by its name: what is broken about each must leave nothing but a dead letter. */
const broken: Readonly<Record<string, Effects>> = {
  'an output that its schema refuses': { emit: [say('good'), { ...say('bad'), data: { detail: 1 } } as never] },
  'an output that no partition takes': { emit: [{ ...say('bad'), partition: 99 }] },
  'an output whose key does not fit a record': { emit: [say('bad', 'k'.repeat(600_000))] },
  'more outputs than one commit holds': { emit: Array.from({ length: 50_000 }, (_, n) => say(`output ${n}`)) },
  'a state key that no store takes': { put: [['naïve', 1]] },
  'a timer that is due at no time': { setTimers: [{ name: 't', dueMs: Number.NaN }] },
  'a timer whose data are no plain data': { setTimers: [{ name: 't', dueMs: 1, data: Symbol('t') }] },
  'a count that is no number': { count: { things: Number.NaN } },
};

describe('a fold whose effects cannot be had', () => {
  for (const [what, effects] of Object.entries(broken)) {
    it(`leaves nothing but a dead letter: ${what}`, async () => {
      const topology = scripted((event) => {
        const own: Effects = {
          put: [['k', event.data.version]],
          emit: [say(`v${event.data.version}`)],
          count: { folds: 1 },
        };
        if (event.data.alias !== 'broken') return own;
        return {
          put: [...(own.put ?? []), ...(effects.put ?? [])],
          emit: [...(own.emit ?? []), ...(effects.emit ?? [])],
          count: { ...own.count, ...effects.count },
          setTimers: effects.setTimers ?? [],
        };
      });
      const driver = await createTopologyDriver(topology, { partitions: { operations: 1 } });
      driver.pipe(aliasRequest('m', 1));
      driver.pipe(aliasRequest('m', 2, 'broken'));
      expect(driver.state('k')).toBe(1);
      expect(driver.timerCount()).toBe(0);
      const [letter] = driver.takeDeadLetters();
      expect(letter?.headers[deadLetterHeader.offset]).toBe('1');
      driver.pipe(aliasRequest('m', 3));
      const outputs = driver.takeOutputs();
      expect(outputs.map(({ id }) => id)).toEqual(['scripted/0.0/operations/0/1', 'scripted/0.0/operations/0/2']);
      expect(driver.counters()).toMatchObject({ folds: 2, folded: 2, dead: 1, in: 3 });
      expect(driver.takeDeadLetters()).toEqual([]);
    });
  }

  it('does not see writes that a failed fold of the same key wanted', async () => {
    const topology = scripted(
      (event, state) => {
        if (event.data.alias === 'broken') return { put: [['k', 'bad']], count: { x: Number.NaN } };
        return { emit: [say(String(state.get('k')))], put: [['k', 'good']] };
      },
      { reads: () => ({ keys: ['k'] }) },
    );
    const driver = await createTopologyDriver(topology);
    driver.pipe(aliasRequest('m', 1, 'broken'));
    driver.pipe(aliasRequest('m', 2));
    driver.pipe(aliasRequest('m', 3));
    expect(driver.takeOutputs().map(({ data }) => (data as { detail: string }).detail)).toEqual(['undefined', 'good']);
  });
});

describe('state values', () => {
  it('keep NaN, infinities, bytes and null, and forget what is undefined', () => {
    const value = {
      nan: Number.NaN,
      up: Number.POSITIVE_INFINITY,
      down: Number.NEGATIVE_INFINITY,
      none: null,
      gone: undefined,
    };
    const back = decodeValue(encodeValue({ ...value, bytes: Uint8Array.of(1, 2) })) as Record<string, unknown>;
    expect(back).toMatchObject({ nan: Number.NaN, up: Infinity, down: -Infinity, none: null });
    expect(Object.hasOwn(back, 'gone')).toBe(false);
    expect([...(back['bytes'] as Uint8Array)]).toEqual([1, 2]);
  });

  it('give the same bytes for the same value', () => {
    const value = { a: 1, b: ['x', { c: 2.5 }] };
    expect(encodeValue(structuredClone(value))).toEqual(encodeValue(value));
  });
});

describe('the ledger of a task', () => {
  it('closes every record by one outcome', async () => {
    const topology = scripted((event) => {
      if (event.data.alias === 'throw') throw new Error('no');
      return {};
    });
    const driver = await createTopologyDriver(topology);
    driver.pipe(aliasRequest('m', 1));
    driver.pipe(aliasRequest('m', 1));
    driver.pipe(aliasRequest('m', 2, 'throw'));
    driver.advance(10);
    const { type, key, data } = aliasRequest('m', 3);
    driver.pipe({ type, key, data, id: 'toy/0.1/registry/0/5' });
    driver.pipe({ type, key, data, id: 'toy/0.0/registry/0/6' });
    driver.pipe({ type, key, data, id: 'toy/0.1/registry/0/9' });
    const letter = driver.takeDeadLetters()[0];
    for (const replay of ['scripted/registry/0@2', 'scripted/registry/0@2', 'other/registry/0@2']) {
      const headers = {
        ce_id: Buffer.from('r'),
        'millrace-control': Buffer.from('replay'),
        'millrace-replay': Buffer.from(replay),
      };
      driver.pipeRecord({ key: null, value: Buffer.from(letter?.value ?? []), headers });
    }
    const counted = driver.counters();
    const of = (name: string): number => counted[name] ?? 0;
    expect(counted).toMatchObject({
      repeats: 1,
      ticks: 1,
      staleBranches: 1,
      gaps: 1,
      replayed: 1,
      replaysRefused: 1,
      replaysOfOthers: 1,
    });
    expect(of('in')).toBe(
      of('folded') +
        of('dead') +
        of('repeats') +
        of('ticks') +
        of('staleBranches') +
        of('replaysRefused') +
        of('replaysOfOthers'),
    );
    const gaps = driver.takeOutputs().filter(({ type: said }) => said === 'gap-detected');
    expect(gaps.map((gap) => gap.data)).toEqual([
      { task: 'scripted/registry/0', origin: 'toy/0', fromOrdinal: 6, toOrdinal: 8 },
    ]);
  });
});
