import type { FollowedEvent } from '../../../runtime/engine/runtime.ts';
import type { EventTopic } from '../../../schemas/events.ts';
import type { Platform } from '../../../services/all-in-one/platform.ts';

/** Every fact of a topic, read from its start: the first record of a ce_id; ticks of the engine are no facts. */
export async function topicFacts<T extends EventTopic>(
  { runtime }: Platform,
  topic: T,
): Promise<readonly FollowedEvent<T>[]> {
  const { log } = runtime.parts;
  const facts = new Map<string, FollowedEvent<T>>();
  for (let partition = 0; partition < runtime.partitions(topic); partition++) {
    for await (const batch of log.read({ topic: runtime.topic(topic), partition }, { from: 0 })) {
      for (const record of batch) {
        if (record.headers['millrace-control'] !== undefined) continue;
        const event = await runtime.decode(topic, record);
        if (!facts.has(event.id)) facts.set(event.id, event);
      }
    }
  }
  return [...facts.values()];
}
