/**
 * Dead letters are what a rebuild goes by: what was dead then is dead again. They are of use for as long as one may come to their
 * records: a snapshot remembers the verdicts before it.
 */
import { deadLetterHeader } from '../../runtime/engine/dead-letter.ts';
import { textHeader } from '../../runtime/engine/envelope.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { SnapshotList } from '../../runtime/engine/snapshot-list.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import type { ReadingFloor } from './reading-floor.ts';

/**
 * The first letter that some rebuild may need, or that is not older than `timeMs`. Who is none of the readers of this program any more and
 * took no snapshot since then is not coming back.
 */
export async function verdictsFloor(
  runtime: Runtime,
  list: Pick<SnapshotList, 'snapshots'>,
  timeMs: number,
  isReader: (name: string) => boolean,
): Promise<ReadingFloor> {
  const { log } = runtime.parts;
  const place = { topic: runtime.topic('dead-letters'), partition: 0 };
  const [end = 0] = await log.endOffsets(place.topic);
  for await (const letters of log.read(place, { from: 0, to: end })) {
    for (const letter of letters) {
      if (letter.timestampMs >= timeMs) return { offset: letter.offset, reader: 'its age' };
      const task = textHeader(letter, deadLetterHeader.task) ?? '';
      if ((list.snapshots.get(task)?.[0]?.takenAtMs ?? 0) < timeMs && !isReader(nameIn(task, runtime))) continue;
      const base = await lowestBase(task, letter, runtime, list);
      if (base !== undefined && Number(textHeader(letter, deadLetterHeader.offset)) >= base)
        return { offset: letter.offset, reader: task };
    }
  }
  return { offset: end, reader: 'nobody' };
}

const nameIn = (task: string, { parts: { prefix = '' } }: Runtime): string =>
  task.slice(prefix.length).split('/')[0] ?? '';

/** Where a rebuild of the task begins at the earliest; undefined when there is none. */
async function lowestBase(
  task: string,
  letter: LogRecord,
  { parts: { log } }: Runtime,
  { snapshots }: Pick<SnapshotList, 'snapshots'>,
): Promise<number | undefined> {
  const known = snapshots.get(task);
  const topic = textHeader(letter, deadLetterHeader.topic);
  if (known === undefined || topic === undefined) return undefined;
  const start = (await log.startOffsets(topic))[Number(textHeader(letter, deadLetterHeader.partition))] ?? 0;
  const usable = known.map(({ position }) => position).filter((position) => position >= start);
  return usable.length === 0 ? undefined : Math.min(...usable);
}
