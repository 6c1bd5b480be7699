import { hasCode } from '../ports/errors.ts';
import type { TopicPartition } from '../ports/log.ts';
import type { TaskState } from '../ports/state-store.ts';
import { deadLetterHeader } from './dead-letter.ts';
import type { EngineContext } from './engine-context.ts';
import { textHeader } from './envelope.ts';
import { decodeMeta, metaEntry, metaKeys } from './task-meta.ts';

export interface RebuildTarget {
  readonly task: string;
  readonly group: string;
  readonly partition: TopicPartition;
  readonly version: number;
}

/**
 * Makes a task's state anew: from the newest snapshot that the log still reaches, else from the start of the log. What it said
 * before is not said again. With `newBranch` (the log itself lost records, so what it says from now on may differ from what it
 * said before under the same ordinals) it continues as a new branch of its origin.
 */
export async function rebuildTask(
  context: EngineContext,
  target: RebuildTarget,
  newBranch: boolean,
): Promise<TaskState> {
  const { state: store, log } = context.parts;
  const { task, group, partition, version } = target;
  const { topic, partition: index } = partition;
  const end = (await log.endOffsets(topic))[index] ?? 0;
  const saidBelow = newBranch ? end : Math.min(end, (await log.committed(group, topic))[index] ?? 0);
  const old = await store.open(task);
  const [oldMeta] = await old.get(metaKeys);
  const oldBranch = oldMeta === undefined ? 0 : decodeMeta(oldMeta, version).branch;
  const snapshot = await context.snapshots.newest(task);
  await store.reset(task);
  let state = await store.open(task);
  if (snapshot !== undefined && snapshot.position <= end) {
    await state.restore(snapshot.position, context.snapshots.entries(snapshot));
    state = await store.open(task);
  }
  const [bytes] = await state.get(metaKeys);
  const meta = decodeMeta(bytes, version);
  meta.branch = newBranch ? oldBranch + 1 : Math.max(meta.branch, oldBranch);
  meta.rebuild = { saidBelow, dead: await deadOffsets(context, task) };
  await state.commit(state.position, { position: state.position ?? 0, put: [metaEntry(meta)], delete: [] });
  return await store.open(task);
}

/** Rebuilds when the error says that state and log disagree and that can be mended; undefined otherwise. */
export async function rebuildIfPossible(
  context: EngineContext,
  error: unknown,
  target: RebuildTarget,
): Promise<TaskState | undefined> {
  const { rebuildAlone, logger, log } = context.parts;
  const { task, partition } = target;
  if (hasCode(error, 'STATE_AHEAD_OF_LOG') && rebuildAlone === true) {
    logger.warn({ task }, 'the state is ahead of the log; it is rebuilt');
    return await rebuildTask(context, target, true);
  }
  if (hasCode(error, 'LOG_TRUNCATED')) {
    const snapshot = await context.snapshots.newest(task);
    const start = (await log.startOffsets(partition.topic))[partition.partition] ?? 0;
    if (snapshot === undefined || snapshot.position < start) return undefined;
    logger.warn({ task, position: snapshot.position }, 'the state is rebuilt from its newest snapshot');
    return await rebuildTask(context, target, false);
  }
  return undefined;
}

/** A task without state whose group reported a position has lost its state. */
export async function lostItsState(context: EngineContext, target: RebuildTarget, state: TaskState): Promise<boolean> {
  if (state.position !== undefined) return false;
  const { topic, partition } = target.partition;
  return ((await context.parts.log.committed(target.group, topic))[partition] ?? 0) > 0;
}

async function deadOffsets(context: EngineContext, task: string): Promise<number[]> {
  const offsets = new Set<number>();
  const topic = context.encoding.topic('dead-letters');
  for await (const records of context.parts.log.read({ topic, partition: 0 }, { from: 0 })) {
    for (const record of records) {
      const offset = textHeader(record, deadLetterHeader.offset);
      if (offset !== undefined && textHeader(record, deadLetterHeader.task) === task) offsets.add(Number(offset));
    }
  }
  return [...offsets].sort((a, b) => a - b);
}
