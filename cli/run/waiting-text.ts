import type { ShownTask } from '../../sdk/client/index.ts';

/** Of a task that no worker takes: which class of worker is missing, for how long, and what to do. */
export function waitingText({ taskId, waits }: Pick<ShownTask, 'taskId' | 'waits'>, nowMs: number): string | undefined {
  if (waits === null) return undefined;
  const seconds = Math.max(0, Math.round((nowMs - waits.since) / 1_000));
  const start = `millrace serve step-worker --set worker.compute=${waits.compute}`;
  return `${taskId} has waited ${seconds} s for a worker of the compute class '${waits.compute}': none has taken it. Start one: ${start}`;
}
