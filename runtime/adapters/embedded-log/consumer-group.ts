import { assignPartitions, type Owners } from './assignment.ts';
import type { Member } from './member.ts';
import type { PartitionLog } from './partition-log.ts';
import type { TopicStore } from './topic-store.ts';

/**
 * Members that share partitions. One rebalance at a time: what a member loses is taken away from it before another one gets it.
 */
export class ConsumerGroup {
  readonly #topics: TopicStore;
  readonly #members: Member[] = [];
  readonly #welcomed = new Set<Member>();
  #owners = new Map<string, Owners<Member>>();
  #generation = 0;
  #wanted = false;
  #rebalancing: Promise<void> | undefined;

  constructor(topics: TopicStore) {
    this.#topics = topics;
  }

  /** The member hears of its partitions later, never before this returned. */
  join(member: Member): void {
    this.#members.push(member);
    this.#rebalance();
  }

  leave(member: Member): void {
    const place = this.#members.indexOf(member);
    if (place < 0) return;
    this.#members.splice(place, 1);
    this.#welcomed.delete(member);
    this.#rebalance();
  }

  #rebalance(): void {
    this.#wanted = true;
    this.#rebalancing ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#rebalanceWhileWanted())
      .finally(() => {
        this.#rebalancing = undefined;
        if (this.#wanted) this.#rebalance();
      });
  }

  async #rebalanceWhileWanted(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false;
      const generation = ++this.#generation;
      const before = this.#owners;
      const after = this.#assignAll(before);
      this.#owners = after;
      const lost = changes(before, after);
      for (const [member, partitions] of lost) member.revoke(this.#logs(partitions), generation);
      const won = changes(after, before);
      const assigned = this.#members.flatMap((member) => {
        const partitions = won.get(member);
        // A member for which nothing is left still hears that it has joined.
        if (partitions === undefined && this.#welcomed.has(member)) return [];
        this.#welcomed.add(member);
        return [member.assign(this.#logs(partitions ?? []), generation)];
      });
      await Promise.all(assigned);
    }
  }

  #assignAll(before: ReadonlyMap<string, Owners<Member>>): Map<string, Owners<Member>> {
    const after = new Map<string, Owners<Member>>();
    for (const topic of new Set(this.#members.flatMap(({ topics }) => topics))) {
      const members = this.#members.filter(({ topics, stopped }) => topics.includes(topic) && !stopped);
      after.set(topic, assignPartitions(this.#topics.get(topic).partitions.length, members, before.get(topic) ?? []));
    }
    return after;
  }

  #logs(places: readonly { readonly topic: string; readonly partition: number }[]): PartitionLog[] {
    return places.map((place) => this.#topics.partition(place));
  }
}

/** Per member, what it owns in `here` and not in `there`. */
function changes(
  here: ReadonlyMap<string, Owners<Member>>,
  there: ReadonlyMap<string, Owners<Member>>,
): Map<Member, { topic: string; partition: number }[]> {
  const found = new Map<Member, { topic: string; partition: number }[]>();
  for (const [topic, owners] of here)
    for (const [partition, owner] of owners.entries()) {
      if (owner === undefined || there.get(topic)?.[partition] === owner) continue;
      const places = found.get(owner) ?? [];
      places.push({ topic, partition });
      found.set(owner, places);
    }
  return found;
}
