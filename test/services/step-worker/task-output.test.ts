import { expect, it } from 'vitest';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { TaskDispatched } from '../../../schemas/events.ts';
import { TaskOutput } from '../../../services/step-worker/task-output.ts';

it('says every line once, in order, also of a step that ends while its lines are being said', async () => {
  const timers: (() => void)[] = [];
  const said: { readonly firstLine: number; readonly lines: readonly string[] }[] = [];
  let held: (() => void)[] = [];
  const publish = async (facts: readonly { readonly data: (typeof said)[number] }[]): Promise<readonly []> => {
    await new Promise<void>((resolve) => held.push(resolve));
    for (const { data } of facts) said.push(data);
    return [];
  };
  const clock = { now: () => 0, after: (_: number, work: () => void) => (timers.push(work), () => undefined) };
  const parts = { clock, logger: { warn: () => undefined } };
  const output = new TaskOutput({ publish, parts } as unknown as Runtime, { worker: 'w', incarnation: 'i' });
  const dispatched = { runId: 'r', taskId: 't', attempt: 1, dispatch: 1 } as TaskDispatched;
  const { listener, flush } = output.of(dispatched);
  const turn = async (): Promise<void> => {
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
  };
  const letGo = async (): Promise<void> => {
    for (const go of held.splice(0)) go();
    await turn();
  };

  listener.line('one');
  const flushed = flush();
  await turn();
  listener.line('two');
  // the timer comes while the flush is under way
  for (const work of timers.splice(0)) work();
  await turn();
  await letGo();
  await letGo();
  listener.line('three');
  for (const work of timers.splice(0)) work();
  await turn();
  await letGo();
  await flushed;
  expect(said.flatMap(({ lines }) => lines)).toEqual(['one', 'two', 'three']);
  expect(said.map(({ firstLine }) => firstLine)).toEqual([0, 1, 2]);
  held = [];
});
