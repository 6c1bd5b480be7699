import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../runtime/ports/clock.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const dayMs = 86_400_000;

it('the system clock waits for months, which a timer of Node does not', () => {
  let called = 0;
  systemClock.after(100 * dayMs, () => (called += 1));
  const cancel = systemClock.after(60 * dayMs, () => (called += 10));
  vi.advanceTimersByTime(50 * dayMs);
  expect(called).toBe(0);
  cancel();
  vi.advanceTimersByTime(50 * dayMs);
  expect(called).toBe(1);
});
