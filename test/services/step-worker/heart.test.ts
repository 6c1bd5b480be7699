import { expect, it } from 'vitest';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { Attempt } from '../../../services/step-worker/attempt.ts';
import { Heart } from '../../../services/step-worker/heart.ts';

it('beats for every run at its pace while one of them cannot be said, by one timer', async () => {
  const timers = new Set<() => void>();
  const after = (_ms: number, work: () => void): (() => void) => {
    timers.add(work);
    return () => timers.delete(work);
  };
  const said: string[] = [];
  let letGo = (): void => undefined;
  const stuck = new Promise<void>((resolve) => (letGo = resolve));
  const publish = async (outputs: readonly { readonly key: string }[]): Promise<readonly []> => {
    for (const { key } of outputs) said.push(key);
    if (outputs.some(({ key }) => key === 'stuck')) await stuck;
    return [];
  };
  const parts = { clock: { now: () => 0, after }, logger: { warn: () => undefined } };
  const attempt = (runId: string) => ({ dispatched: { runId, taskId: 't' }, identity: { incarnation: 'i' } });
  const alive = [attempt('stuck'), attempt('other')] as unknown as Attempt[];
  const heart = new Heart({ publish, parts } as unknown as Runtime, { worker: 'w', incarnation: 'i' }, () => alive);
  const beat = async (): Promise<void> => {
    for (const work of [...timers]) {
      timers.delete(work);
      work();
    }
    await new Promise((resolve) => setImmediate(resolve));
  };

  heart.note(30_000);
  await beat();
  expect(said).toEqual(['stuck', 'other']);
  heart.note(3_000);
  expect(timers.size).toBe(1);
  await beat();
  expect([said, timers.size]).toEqual([['stuck', 'other', 'other'], 1]);
  letGo();
  await beat();
  await beat();
  expect(said.slice(3)).toContain('stuck');
  heart.close();
  expect(timers.size).toBe(0);
});
