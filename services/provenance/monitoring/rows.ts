/** Rows of quality windows and of requests to webhooks. Both lie in slots: the newest are kept. */
import { plainJson } from '../../../schemas/codec/plain-json.ts';
import type { DeliveriesAttempted, QualityAssessed, RewardFailed } from '../../../schemas/events.ts';
import type { Change } from '../rows.ts';

/** Of each partition of `quality`. */
const qualityWindows = 100_000;
/** Facts of each partition of `webhook-deliveries`, and requests of one at most. */
const deliveryFacts = 20_000;
const deliveryPlaces = 100;

interface Place {
  readonly partition: number;
  readonly offset: number;
}

/** In a slot of its place on the log: the table stays bounded over any number of deployments, versions and segments. */
export function qualityWindow(data: QualityAssessed, { partition, offset }: Place): Change {
  const { deployment, deploymentVersion: version, route, model, modelVersion, segment, toMs } = data;
  const slot = { fact_partition: partition, slot: offset % qualityWindows };
  const series = { deployment, version, route, model, model_version: modelVersion, segment };
  const row = { ...slot, ...series, to_ms: toMs, data: plainJson(data) };
  return { table: 'quality_windows', row, set: 'all' };
}

export function rewardFailure(data: RewardFailed, timeMs: number): Change {
  const { deployment, code, reason, predictionId, route } = data;
  const newest = { reason, prediction_id: predictionId, route, at_ms: timeMs };
  const set = ['reason', 'prediction_id', 'route', 'at_ms'] as const;
  return { table: 'reward_failures', row: { deployment, code, failures: 1, ...newest }, set };
}

export function deliveryRows(
  { webhook, origin, positions, attempts }: DeliveriesAttempted,
  { partition, offset }: Place,
): Change[] {
  const slot = { fact_partition: partition, slot: offset % deliveryFacts };
  // The fact that had the slot before may have had more requests.
  const left = offset < deliveryFacts ? 0 : Math.max(0, deliveryPlaces - attempts.length);
  const gone = Array.from(
    { length: left },
    (_, more): Change => ({
      table: 'deliveries',
      remove: { ...slot, place: attempts.length + more },
    }),
  );
  const said = attempts.map((attempt, place): Change => {
    const where = { ...slot, place, fact_offset: offset };
    const of = { webhook, origin, delivery_id: attempt.deliveryId, outcome: attempt.outcome };
    return { table: 'deliveries', row: { ...where, ...of, data: plainJson(attempt) }, set: 'all' };
  });
  const rows = [...gone, ...said];
  // Somebody who sends one again says nothing of how far the webhook is.
  if (positions.length === 0) return rows;
  const row = { webhook, origin, positions: JSON.stringify(positions) };
  return [...rows, { table: 'webhook_positions', row, set: 'all' }];
}
