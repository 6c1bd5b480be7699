/** How far a webhook has come: next offset per partition, and the event that each partition is trying. */
import type { DeliveriesAttempted, WebhookRow } from '../../schemas/events.ts';

export interface Progress {
  /** Everything below is delivered, dead, or of no concern. */
  readonly positions: readonly number[];
  /** By partition: the event at its position that has been tried in vain so far. */
  readonly trying: Readonly<Record<string, Trying>>;
}

export interface Trying {
  readonly offset: number;
  readonly attempts: number;
  readonly nextAttemptMs: number;
}

/** Where one starts that has sent nothing yet. */
export function firstProgress({ positions }: Pick<WebhookRow, 'positions'>, partitions: number): Progress {
  return { positions: Array.from({ length: partitions }, (_, partition) => positions[partition] ?? 0), trying: {} };
}

/** What a fact says, on top of what was known. Facts of two owners at once may come in any order: nothing goes back. */
export function progressed(before: Progress | undefined, fact: DeliveriesAttempted): Progress {
  // A fact of one that was sent again has none.
  const known = before?.positions ?? [];
  const length = Math.max(known.length, fact.positions.length);
  const positions = Array.from({ length }, (_, partition) =>
    Math.max(known[partition] ?? 0, fact.positions[partition] ?? 0),
  );
  const trying: Record<string, Trying> = { ...before?.trying };
  for (const { outcome, partition, offset, attempt, nextAttemptMs } of fact.attempts)
    if (outcome === 'failed') trying[partition] = { offset, attempts: attempt, nextAttemptMs };
  for (const [partition, { offset }] of Object.entries(trying))
    if (offset < (positions[Number(partition)] ?? 0)) delete trying[partition];
  return { positions, trying };
}

/** A webhook that is made again under the same id begins anew. */
export const progressKey = ({ webhook, origin }: Pick<WebhookRow, 'webhook' | 'origin'>): string =>
  `progress/${webhook}/${origin}`;
