/** What became of the newest requests to a webhook, read from the log. */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { WebhookDeliveries } from '../../schemas/api/webhooks.ts';
import type { WebhookRow } from '../../schemas/events.ts';
import { partitionOf } from '../../schemas/partitioner.ts';
import { firstProgress, type Progress, progressed } from './progress.ts';
import type { Attempt } from './reports.ts';

/** So many records of the webhook's partition are looked at, from its end. */
const recordsMax = 20_000;

export interface DeliveryFilter {
  /** undefined: all. */
  readonly outcome?: string | undefined;
  readonly limit: number;
}

export async function readDeliveries(
  row: WebhookRow,
  { outcome, limit }: DeliveryFilter,
  runtime: Runtime,
): Promise<WebhookDeliveries> {
  const { log } = runtime.parts;
  const topic = runtime.topic('webhook-deliveries');
  const partition = partitionOf(row.webhook, runtime.partitions('webhook-deliveries'));
  const end = (await log.endOffsets(topic))[partition] ?? 0;
  const attempts: Attempt[] = [];
  let progress: Progress = firstProgress(row, runtime.partitions(row.topic));
  for await (const records of log.read({ topic, partition }, { from: Math.max(0, end - recordsMax), to: end })) {
    for (const record of records) {
      if (record.key?.toString('utf8') !== row.webhook) continue;
      const event = await runtime.decode('webhook-deliveries', record).catch(() => undefined);
      if (event?.type !== 'deliveries-attempted' || event.data.origin !== row.origin) continue;
      progress = progressed(progress, event.data);
      attempts.push(...event.data.attempts.filter((attempt) => outcome === undefined || attempt.outcome === outcome));
      attempts.splice(0, attempts.length - limit);
    }
  }
  const ends = await log.endOffsets(runtime.topic(row.topic));
  const behind = ends.reduce((sum, at, index) => sum + Math.max(0, at - (progress.positions[index] ?? 0)), 0);
  return { id: row.webhook, behind, attempts: attempts.reverse() };
}
