/** What a hold on the audit trail keeps from being deleted or changed: whole sealed files that have a record within its bounds. */
import type { AuditSealed, HoldPlaced } from '../schemas/events.ts';

export type Hold = Pick<HoldPlaced, 'name' | 'topics' | 'sinceMs' | 'untilMs'>;

/** Holds in force at a time. The gateway turns more away. */
export const holdsMax = 1_000;

/** The first hold that is on a sealed file. */
export function holdOn(
  { topic, fromTimeMs, timeMs }: Pick<AuditSealed, 'topic' | 'fromTimeMs' | 'timeMs'>,
  holds: readonly Hold[],
): Hold | undefined {
  return holds.find(
    ({ topics, sinceMs, untilMs }) =>
      (topics.length === 0 || topics.includes(topic)) &&
      timeMs >= (sinceMs ?? Number.NEGATIVE_INFINITY) &&
      fromTimeMs < (untilMs ?? Number.POSITIVE_INFINITY),
  );
}
