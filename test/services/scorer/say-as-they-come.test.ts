import { expect, it } from 'vitest';
import type { IdentifiedOutput } from '../../../runtime/engine/service.ts';
import type { Clock } from '../../../runtime/ports/clock.ts';
import { sayAsTheyCome } from '../../../services/scorer/say-as-they-come.ts';

const output = (id: string): IdentifiedOutput => ({ id }) as unknown as IdentifiedOutput;

/** Moments that pass when the test says so. */
function handClock() {
  const waiting = new Set<() => void>();
  const clock: Clock = {
    now: () => 0,
    after: (_, callback) => {
      waiting.add(callback);
      return () => void waiting.delete(callback);
    },
  };
  const pass = async (): Promise<void> => {
    for (const callback of [...waiting]) callback();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, pass, waiting };
}

it('a quick verdict is said while a slow one is computed, and none is said twice', async () => {
  const { clock, pass, waiting } = handClock();
  const said: string[][] = [];
  let finish: (result: { outputs: IdentifiedOutput[] }) => void = () => undefined;
  const slow = new Promise<{ outputs: IdentifiedOutput[] }>((resolve) => (finish = resolve));
  const quick = Promise.resolve({ outputs: [output('quick')] });
  const ended = sayAsTheyCome([slow, quick], {
    clock,
    say: (outputs) => {
      said.push(outputs.map(({ id }) => id));
      return Promise.resolve();
    },
  });
  await pass();
  expect(said).toEqual([['quick']]);
  await pass();
  finish({ outputs: [output('slow')] });
  const { all, rest } = await ended;
  expect(all.map(({ outputs }) => outputs[0]?.id)).toEqual(['slow', 'quick']);
  expect(rest.map(({ id }) => id)).toEqual(['slow']);
  expect(said).toEqual([['quick']]);
  expect(waiting.size).toBe(0);
});

it('what is done in a moment is said together, at the end; a computation that fails fails all', async () => {
  const { clock, waiting } = handClock();
  const parts = { clock, say: () => Promise.reject(new Error('too early')) };
  const quick = ['a', 'b'].map((id) => Promise.resolve({ outputs: [output(id)] }));
  expect((await sayAsTheyCome(quick, parts)).rest.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(await sayAsTheyCome([], parts)).toEqual({ all: [], rest: [] });
  await expect(sayAsTheyCome([...quick, Promise.reject(new Error('no'))], parts)).rejects.toThrow('no');
  expect(waiting.size).toBe(0);
});
