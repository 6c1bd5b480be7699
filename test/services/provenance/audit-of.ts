import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { chainNext, chainStart, recordDigest } from '../../../topologies/audit-chain.ts';

/** Writes a right link over everything of a partition, and one with a wrong digest; answers where they lie. */
export async function auditTrailOf(
  runtime: Runtime,
  topic: 'predictions',
  partition: number,
): Promise<readonly [string, string]> {
  const source = { topic: runtime.topic(topic), partition };
  const previous = chainStart(topic, partition);
  let digest = previous;
  let [timeMs, records] = [0, 0];
  for await (const batch of runtime.parts.log.read(source, { from: 0 })) {
    for (const { offset, timestampMs, key, value, headers } of batch) {
      timeMs = Math.max(timeMs, timestampMs);
      digest = chainNext(
        digest,
        recordDigest({ ...source, offset, timeMs, keyBytes: key, valueBytes: value, headers }),
      );
      records += 1;
    }
  }
  const link = { topic, partition, fromOffset: 0, toOffset: records - 1, records, previous, digest, timeMs };
  const say = (id: string, data: typeof link) =>
    ({ topic: 'audit', type: 'audit-linked', data, key: `${topic}/${partition}`, id }) as const;
  const places = await runtime.publish([say('right', link), say('wrong', { ...link, digest: previous })]);
  const [right = '', wrong = ''] = places.map((place) => `audit/${place.partition}@${place.offset}`);
  return [right, wrong];
}
