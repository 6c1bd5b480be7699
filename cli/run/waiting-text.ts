/** Tasks that no worker takes: which class of worker is missing, for how long, and what to do. */
import { defaultCompute } from '../../schemas/flow-graph.ts';

export interface Offered {
  readonly taskId: string;
  readonly compute: string;
  /** Since when it is offered, milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** All of a compute class: the one that waits longest, and how many there are. */
export interface Waiting extends Offered {
  readonly tasks: number;
}

/** What has waited longest comes first. */
export function waitingByClass(offered: Iterable<Offered>): readonly Waiting[] {
  const found = new Map<string, Waiting>();
  for (const one of offered) {
    const known = found.get(one.compute);
    const longest = known === undefined || one.sinceMs < known.sinceMs ? one : known;
    found.set(one.compute, { ...longest, tasks: 1 + (known?.tasks ?? 0) });
  }
  return [...found.values()].sort((a, b) => a.sinceMs - b.sinceMs);
}

export function waitingText({ taskId, tasks, compute, sinceMs }: Waiting, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1_000));
  const [who, them] = tasks === 1 ? [`${taskId} has`, 'it'] : [`${taskId} and ${tasks - 1} more have`, 'them'];
  const start = `millrace serve step-worker --set worker.compute=${compute}`;
  const classes = [...new Set([defaultCompute, compute])].join(',');
  const here = `--set worker.compute=${classes}`;
  return `${who} waited ${seconds} s for a worker of the compute class '${compute}': none has taken ${them}. Start one: ${start}; on one machine run the platform with ${here}`;
}
