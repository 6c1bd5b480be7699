import { MillraceError } from '../../ports/errors.ts';
import { type LogRecord, partitionName, type TopicPartition } from '../../ports/log.ts';
import { fetchRecords, type FetchedPartition } from './fetch-request.ts';
import { type KafkaCluster } from './kafka-cluster.ts';
import { wireCodes } from './kafka-errors.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { offsetOf } from './offsets.ts';
import { retrying } from './retrying.ts';

/**
 * Reads `[from, to)` of one partition in batches. It ends by position, not by the last record: the last offsets of a range may hold
 * control records only, or records that compaction took away.
 */
export async function* readRange(
  cluster: KafkaCluster,
  options: ResolvedKafkaOptions,
  where: TopicPartition,
  range: { readonly from: number; readonly to?: number },
): AsyncGenerator<readonly LogRecord[]> {
  const doing = `reading ${partitionName(where)}`;
  const [start, end] = await retrying(doing, options.operationTimeoutMs, async () => {
    await cluster.know([where.topic]);
    return Promise.all([offsetOf(cluster, where, 'start'), offsetOf(cluster, where, 'end')]);
  });
  const to = Math.min(range.to ?? end, end);
  let position = Math.max(range.from, start);
  while (position < to) {
    const from = position;
    const answer = await retrying(doing, options.operationTimeoutMs, () => fetchOnce(cluster, options, where, from));
    if (answer === 'truncated') {
      const now = await retrying(doing, options.operationTimeoutMs, () => offsetOf(cluster, where, 'start'));
      if (now <= position) throw shrank(where, position);
      position = now;
      continue;
    }
    position = answer.nextOffset;
    const records = position > to ? answer.records.filter(({ offset }) => offset < to) : answer.records;
    if (records.length > 0) yield records;
  }
}

async function fetchOnce(
  cluster: KafkaCluster,
  options: ResolvedKafkaOptions,
  where: TopicPartition,
  offset: number,
): Promise<FetchedPartition | 'truncated'> {
  const leader = cluster.leader(where);
  if (leader === undefined) {
    await cluster.refresh([where.topic]);
    throw new MillraceError('UNAVAILABLE', `${partitionName(where)} has no leader now.`);
  }
  const broker = await cluster.broker(leader);
  const limits = { waitMs: 50, bytesMax: options.fetchBytesMax, bytesPerPartition: options.fetchBytesMax };
  const [answer] = await fetchRecords(broker, [{ ...where, offset }], limits).catch(async (error: unknown) => {
    await cluster.refresh([where.topic]);
    throw error;
  });
  if (answer?.unreadable !== undefined) throw answer.unreadable;
  if (answer?.code === wireCodes.offsetOutOfRange) return 'truncated';
  if (answer === undefined || answer.code !== wireCodes.none) {
    await cluster.refresh([where.topic]);
    throw new MillraceError(
      'UNAVAILABLE',
      `${partitionName(where)} cannot be read now (Kafka code ${answer?.code ?? 'none'}).`,
    );
  }
  if (answer.nextOffset === offset)
    throw new MillraceError('UNAVAILABLE', `${partitionName(where)} gave nothing at ${offset}.`);
  return answer;
}

function shrank(where: TopicPartition, position: number): MillraceError {
  const message = `${partitionName(where)} was cut while it was read at ${position}: the log shrank or was created anew.`;
  return new MillraceError('STATE_AHEAD_OF_LOG', message, { details: { ...where, position } });
}
