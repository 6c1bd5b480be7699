import type { Position, TaskDispatched, Token } from '../../schemas/events.ts';

/** What a worker committed: it, in this incarnation, runs this dispatch. */
export interface Claim {
  readonly dispatched: TaskDispatched;
  readonly worker: string;
  readonly incarnation: string;
  /** Wall clock of the worker, milliseconds. */
  readonly claimedAt: number;
  /** How long the dispatch may wait for its start, milliseconds of append time. */
  readonly waitMs: number;
  /** Where the dispatch lies. */
  readonly work: Position;
}

export const claimPrefix = 'claim/';

export function claimKey({ dispatched: { runId, taskId, dispatch } }: Pick<Claim, 'dispatched'>): string {
  return `${claimPrefix}${runId}/${taskId}/${dispatch}`;
}

export function tokenOf({ attempt, dispatch }: TaskDispatched, incarnation: string): Token {
  return { attempt, dispatch, incarnation };
}

/** When nothing can come of it any more, whoever made it, however often its lease was renewed: its time and several leases have passed. */
export function overAt({ claimedAt, waitMs, dispatched: { timeoutMs, leaseMs } }: Claim): number {
  return claimedAt + waitMs + timeoutMs + 10 * leaseMs;
}

export function isOver(claim: Claim, nowMs: number): boolean {
  return nowMs > overAt(claim);
}
