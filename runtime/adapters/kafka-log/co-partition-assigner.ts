import { MillraceError } from '../../ports/errors.ts';
import { partitionName } from '../../ports/log.ts';

/** A member of the group, as the assigner sees it. */
export interface AssignableMember {
  readonly id: string;
  readonly topics: readonly string[];
  /** What it owned before, and in which generation. */
  readonly owned: OwnedPartitions;
}

export interface OwnedPartitions {
  readonly generation: number;
  /** Names, as of `partitionName`. */
  readonly partitions: readonly string[];
}

export type Assignment = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/**
 * Divides partitions among members: co-partitioned (partition 3 of every topic that the same members read goes to one member), balanced
 * (no member has more than one partition number above another), and sticky (who owned a partition keeps it while the balance allows it).
 *
 * @param partitionCounts partitions of each topic
 * @returns by member id and topic
 */
export function assignCoPartitioned(
  members: readonly AssignableMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignment {
  const result = new Map<string, Map<string, number[]>>(members.map(({ id }) => [id, new Map<string, number[]>()]));
  for (const { readers, topics } of classesOf(members, partitionCounts)) {
    const count = Math.max(...topics.map((topic) => partitionCounts.get(topic) ?? 0));
    for (const [partition, owner] of ownersOf(readers, topics, count)) {
      for (const topic of topics) {
        if (partition >= (partitionCounts.get(topic) ?? 0)) continue;
        const assigned = result.get(owner);
        assigned?.set(topic, [...(assigned.get(topic) ?? []), partition]);
      }
    }
  }
  return result;
}

/**
 * Partitions of each topic. A broker that has just started may not know a topic yet: to divide none of its partitions would leave them without
 * a reader until the members change.
 *
 * @throws MillraceError UNAVAILABLE for a topic whose count is not known: the group is to join again
 */
export function partitionCounts(
  topics: readonly string[],
  countOf: (topic: string) => number | undefined,
): ReadonlyMap<string, number> {
  return new Map(
    topics.map((topic) => {
      const count = countOf(topic);
      if (count === undefined)
        throw new MillraceError('UNAVAILABLE', `Kafka does not say how many partitions topic "${topic}" has.`);
      return [topic, count];
    }),
  );
}

interface TopicClass {
  readonly readers: readonly AssignableMember[];
  readonly topics: readonly string[];
}

/** Topics that are read by the very same members. */
function classesOf(members: readonly AssignableMember[], partitionCounts: ReadonlyMap<string, number>): TopicClass[] {
  const classes = new Map<string, { readers: AssignableMember[]; topics: string[] }>();
  for (const topic of [...partitionCounts.keys()].sort()) {
    const readers = members.filter(({ topics }) => topics.includes(topic)).sort((a, b) => (a.id < b.id ? -1 : 1));
    if (readers.length === 0) continue;
    const name = JSON.stringify(readers.map(({ id }) => id));
    const known = classes.get(name);
    if (known === undefined) classes.set(name, { readers, topics: [topic] });
    else known.topics.push(topic);
  }
  return [...classes.values()];
}

function ownersOf(readers: readonly AssignableMember[], topics: readonly string[], count: number): Map<number, string> {
  const owners = new Map<number, string>();
  const loads = new Map<string, number>(readers.map(({ id }) => [id, 0]));
  const most = Math.ceil(count / readers.length);
  let roomAtMost = count % readers.length === 0 ? readers.length : count % readers.length;
  const give = (partition: number, id: string): void => {
    const load = (loads.get(id) ?? 0) + 1;
    owners.set(partition, id);
    loads.set(id, load);
    if (load === most) roomAtMost--;
  };
  const mayTake = (id: string): boolean => {
    const load = loads.get(id) ?? 0;
    return load + 1 < most || (load + 1 === most && roomAtMost > 0);
  };
  for (let partition = 0; partition < count; partition++) {
    const keeper = previousOwner(readers, topics, partition);
    if (keeper !== undefined && mayTake(keeper)) give(partition, keeper);
  }
  for (let partition = 0; partition < count; partition++) {
    if (owners.has(partition)) continue;
    const [least] = [...loads].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    if (least !== undefined) give(partition, least[0]);
  }
  return owners;
}

/** The latest generation's word counts: an older member may still believe that it owns the partition. */
function previousOwner(
  readers: readonly AssignableMember[],
  topics: readonly string[],
  partition: number,
): string | undefined {
  let found: { readonly id: string; readonly generation: number } | undefined;
  const names = topics.map((topic) => partitionName({ topic, partition }));
  for (const { id, owned } of readers) {
    if (!names.some((name) => owned.partitions.includes(name))) continue;
    if (found === undefined || owned.generation > found.generation) found = { id, generation: owned.generation };
  }
  return found?.id;
}
