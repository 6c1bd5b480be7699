import { expect, it } from 'vitest';
import type { ServiceTask } from '../../../runtime/engine/service.ts';
import { ClaimsOver } from '../../../services/step-worker/claims-over.ts';

const due: (() => void)[] = [];
const clock = { now: () => 0, after: (_ms: number, work: () => void) => (due.push(work), () => undefined) };
let told = 0;
const task = { name: 'step-worker/tasks/0', changed: () => told++ } as unknown as ServiceTask;
const pass = (): void => due.splice(0).forEach((work) => work());

it('has what is over deleted, also what came while the one before was being deleted, and by the next owner', () => {
  const over = new ClaimsOver(clock);
  over.add(task, 'one');
  over.add(task, 'two');
  pass();
  expect(told).toBe(1);
  const deleted = over.of(task);
  expect(deleted).toEqual(['one', 'two']);
  over.add(task, 'three');
  over.forget(task, deleted);
  pass();
  expect(told).toBe(2);
  expect(over.of(task)).toEqual(['three']);
  const next = { ...task, changed: () => (told += 10) } as unknown as ServiceTask;
  over.opened(next);
  pass();
  expect(told).toBe(12);
  over.forget(next, ['three']);
  over.opened(next);
  expect(due).toEqual([]);
});
