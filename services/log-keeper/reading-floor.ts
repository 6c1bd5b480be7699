/**
 * How far back the readers of a partition may still reach. Below that, and only below, its records may go.
 */
import { idWindowOf, inputOf } from '../../runtime/engine/fold-target.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { serviceIdWindow } from '../../runtime/engine/service-task.ts';
import type { SnapshotList, SnapshotRef } from '../../runtime/engine/snapshot-list.ts';
import type { AnyTopology } from '../../runtime/engine/topology.ts';
import { type TopicName, topics } from '../../schemas/topics.ts';

export interface ReadingFloor {
  /** No reader needs a lower one. */
  readonly offset: number;
  /** The reader that holds it there. */
  readonly reader: string;
}

export interface FloorFacts {
  readonly runtime: Runtime;
  readonly topologies: readonly AnyTopology[];
  readonly list: SnapshotList;
  /** Who was silent for longer, and is no declared topology, is no reader any more; milliseconds. */
  readonly silentSinceMs: number;
}

/** They say their positions themselves. */
const reporting: readonly string[] = topics.snapshots.writtenBy;

/** The lowest of all, for each partition of a topic. `readBy` names its readers, as in the catalogue. */
export async function readingFloors(
  topic: TopicName,
  readBy: readonly string[],
  facts: FloorFacts,
): Promise<readonly ReadingFloor[]> {
  const { runtime, topologies } = facts;
  const folding = topologies.filter((topology) => inputOf(topology) === topic);
  const names = new Set(folding.map(({ name }) => name));
  // the audit trail has an instance for each topic
  const known = (reader: string): boolean =>
    [reader, `${reader}-${topic}`].some((name) => names.has(name)) || reporting.includes(reader);
  const reading = readBy.filter((reader) => !known(reader));
  const services = await Promise.all(reading.map((service) => serviceFloors(service, topic, facts)));
  return Array.from({ length: runtime.partitions(topic) }, (_, partition) =>
    lowest([
      ...folding.map((topology) => topologyFloor(topology, partition, facts)),
      ...undeclaredFloors(topic, partition, new Set([...names, ...reading]), facts),
      ...services.map((floors): ReadingFloor => floors[partition] ?? { offset: 0, reader: 'a service' }),
      ...reportedFloors(topic, partition, readBy, facts),
    ]),
  );
}

/** A rebuild begins at the newest snapshot, or the one before it, and reads the ids of its window again. */
function topologyFloor(topology: AnyTopology, partition: number, { runtime, list }: FloorFacts): ReadingFloor {
  const reader = `${runtime.parts.prefix ?? ''}${topology.name}/${inputOf(topology)}/${partition}`;
  return { reader, offset: secondNewest(list.snapshots.get(reader)) - idWindowOf(topology) };
}

/** Topologies that this program does not have: of a newer or an older one, which may still run. */
function undeclaredFloors(
  topic: TopicName,
  partition: number,
  declared: ReadonlySet<string>,
  { list, silentSinceMs, runtime }: FloorFacts,
): ReadingFloor[] {
  const prefix = runtime.parts.prefix ?? '';
  return [...list.snapshots].flatMap(([reader, refs]) => {
    const [name = '', input, number] = reader.slice(prefix.length).split('/');
    if (input !== topic || Number(number) !== partition || declared.has(name)) return [];
    return (refs[0]?.takenAtMs ?? 0) < silentSinceMs ? [] : [{ reader, offset: secondNewest(refs) - idWindowMax }];
  });
}

/** Of topologies whose own is not known here. */
const idWindowMax = 100_000;

/** One that keeps its values has snapshots, and is rebuilt from them as a topology is. */
async function serviceFloors(
  service: string,
  topic: TopicName,
  { runtime, list }: FloorFacts,
): Promise<readonly ReadingFloor[]> {
  const group = `${runtime.parts.prefix ?? ''}${service}`;
  const positions = await runtime.parts.log.committed(group, runtime.topic(topic));
  return Array.from({ length: runtime.partitions(topic) }, (_, partition) => {
    const snapshots = list.snapshots.get(`${group}/${topic}/${partition}`);
    const position = positions[partition] ?? 0;
    const needed = snapshots === undefined ? position : Math.min(position, secondNewest(snapshots));
    return { reader: service, offset: needed - serviceIdWindow };
  });
}

function reportedFloors(
  topic: TopicName,
  partition: number,
  readBy: readonly string[],
  { list, silentSinceMs }: FloorFacts,
): ReadingFloor[] {
  const said = list.positions.filter(
    (position) =>
      position.topic === topic && position.partition === partition && position.reportedAtMs >= silentSinceMs,
  );
  const missing = readBy
    .filter((name) => reporting.includes(name) && !said.some(({ reader }) => reader.startsWith(name)))
    .map((reader): ReadingFloor => ({ reader, offset: 0 }));
  return [...missing, ...said.map(({ reader, position }) => ({ reader, offset: position }))];
}

/** Position of the second newest snapshot of the newest version; 0 while there is none. */
function secondNewest(newestFirst: readonly SnapshotRef[] = []): number {
  const [newest, second] = newestFirst;
  return second?.topologyVersion === newest?.topologyVersion ? (second?.position ?? 0) : 0;
}

function lowest(floors: readonly ReadingFloor[]): ReadingFloor {
  const [first = { offset: 0, reader: 'nobody' }, ...rest] = floors;
  const found = rest.reduce((least, floor) => (floor.offset < least.offset ? floor : least), first);
  return { ...found, offset: Math.max(0, found.offset) };
}
