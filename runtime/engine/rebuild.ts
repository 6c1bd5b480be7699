import { hasCode, MillraceError, messageOf } from '../ports/errors.ts';
import type { TopicPartition } from '../ports/log.ts';
import type { TaskState } from '../ports/state-store.ts';
import { deadLetterHeader } from './dead-letter.ts';
import type { EngineContext } from './engine-context.ts';
import { textHeader } from './envelope.ts';
import type { SnapshotRef } from './snapshot-list.ts';
import { decodeMeta, metaEntry, metaKeys, newestBranch, type TaskMeta } from './task-meta.ts';
import { refuseNewer } from './task-opening.ts';

export interface RebuildTarget {
  readonly task: string;
  readonly group: string;
  readonly partition: TopicPartition;
  readonly version: number;
}

/**
 * What was lost. `state`: the log is whole. `log-tail`: the log ends before the state, so what follows its end is new, and is said as
 * a new branch; what lies before the end was folded before, and is said, if at all, as it was then. `whole-log`: the topic was made anew,
 * and nothing that was said before belongs to it.
 */
export type Loss = 'state' | 'log-tail' | 'whole-log';

/**
 * Makes a task's state anew: from the newest snapshot of its own version that the log still reaches. What it said below the position that
 * it reported is not said again; what lies between is, under the same stamps, since it may not have arrived.
 *
 * @throws MillraceError LOG_TRUNCATED when the log starts after every such snapshot, NEWER_FORMAT or CONFLICT when another version of the
 * topology folded last: this one would fold the same records to other outputs. The state is then as it was.
 */
export async function rebuildTask(context: EngineContext, target: RebuildTarget, loss: Loss): Promise<TaskState> {
  const { state: store, log } = context.parts;
  const { task, partition, version } = target;
  const end = (await log.endOffsets(partition.topic))[partition.partition] ?? 0;
  const bases = loss === 'whole-log' ? [] : await basesOf(context, target, end);
  const oldMeta = await readMeta(await store.open(task), version);
  let state = await restored(context, task, bases);
  const meta = await readMeta(state, version);
  const forkAt = { state: undefined, 'log-tail': end, 'whole-log': 0 }[loss];
  meta.branch = Math.max(meta.branch, oldMeta.branch);
  meta.rebuild = {
    saidBelow: loss === 'whole-log' ? 0 : Math.min(end, await reportedPosition(context, target)),
    dead: loss === 'whole-log' ? [] : await deadOffsets(context, task),
    fork:
      forkAt === undefined
        ? (meta.rebuild?.fork ?? oldMeta.rebuild?.fork ?? null)
        : { at: forkAt, branch: 1 + Math.max(newestBranch(meta), newestBranch(oldMeta)) },
  };
  await state.commit(state.position, { position: state.position ?? 0, put: [metaEntry(meta)], delete: [] });
  state = await store.open(task);
  // The branch must outlive the store: receivers refuse what is said under an older one.
  if (forkAt !== undefined) await context.snapshots.take({ task, version, branch: newestBranch(meta) }, state);
  return state;
}

/** The snapshots that a rebuild may begin at, best first. */
async function basesOf(
  context: EngineContext,
  { task, partition, version }: RebuildTarget,
  end: number,
): Promise<readonly SnapshotRef[]> {
  const start = (await context.parts.log.startOffsets(partition.topic))[partition.partition] ?? 0;
  const known = await context.snapshots.of(task);
  const lastVersion = known[0]?.topologyVersion ?? version;
  refuseNewer(task, lastVersion, version);
  if (lastVersion < version) {
    throw new MillraceError(
      'CONFLICT',
      `${task} must be rebuilt, and was last folded by version ${lastVersion}: version ${version} would fold the same records to other outputs. Start the program with version ${lastVersion}, let it catch up, then start this one`,
    );
  }
  const usable = known.filter((ref) => ref.topologyVersion === version && ref.position <= end && ref.position >= start);
  if (usable.length > 0) return usable;
  throw new MillraceError(
    'LOG_TRUNCATED',
    `${task} must be rebuilt, but ${partition.topic}/${partition.partition} holds offsets ${start} to ${end} and no snapshot of the task lies in between: restore the topic, or the state, from a backup`,
  );
}

/** The newest of them whose blob is whole; the second newest is kept for the day on which the newest is not. */
async function restored(context: EngineContext, task: string, bases: readonly SnapshotRef[]): Promise<TaskState> {
  const { state: store, logger } = context.parts;
  let damage: MillraceError | undefined;
  for (const base of bases) {
    await store.reset(task);
    try {
      await (await store.open(task)).restore(base.position, context.snapshots.entries(base));
      return await store.open(task);
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND', 'CORRUPT')) throw error;
      damage = error;
      logger.error(
        { task, position: base.position, blob: base.blob, error: messageOf(error) },
        'a snapshot is damaged',
      );
    }
  }
  await store.reset(task);
  if (damage !== undefined) throw damage;
  return await store.open(task);
}

/**
 * A store that went back to an older state folds again what was folded before: verdicts of then stand, and what was reported is not
 * said again. Answers the state to go on with.
 */
export async function catchUpAgain(
  context: EngineContext,
  target: RebuildTarget,
  state: TaskState,
): Promise<TaskState> {
  const { partition, task, version } = target;
  const end = (await context.parts.log.endOffsets(partition.topic))[partition.partition] ?? 0;
  const saidBelow = Math.min(end, await reportedPosition(context, target));
  const meta = await readMeta(state, version);
  if ((state.position ?? 0) >= saidBelow || (meta.rebuild?.saidBelow ?? 0) >= saidBelow) return state;
  meta.rebuild = { saidBelow, dead: await deadOffsets(context, task), fork: meta.rebuild?.fork ?? null };
  await state.commit(state.position, { position: state.position ?? 0, put: [metaEntry(meta)], delete: [] });
  return await context.parts.state.open(task);
}

export async function readMeta(state: TaskState, version: number): Promise<TaskMeta> {
  const [bytes] = await state.get(metaKeys);
  return decodeMeta(bytes, version);
}

/** Rebuilds when the error says that state and log disagree and that can be mended; undefined otherwise. */
export async function rebuildIfPossible(
  context: EngineContext,
  error: unknown,
  target: RebuildTarget,
): Promise<TaskState | undefined> {
  const { rebuildAlone, logger } = context.parts;
  const { task } = target;
  if (hasCode(error, 'STATE_AHEAD_OF_LOG') && rebuildAlone === true) {
    logger.warn({ task }, 'the state is ahead of the log; it is rebuilt');
    return await rebuildTask(context, target, error.details['topicMadeAnew'] === true ? 'whole-log' : 'log-tail');
  }
  if (hasCode(error, 'LOG_TRUNCATED')) {
    logger.warn({ task }, 'the log starts after the state; it is rebuilt from its newest snapshot');
    return await rebuildTask(context, target, 'state');
  }
  return undefined;
}

/** What the group remembers: folded up to here, and said. */
export async function reportedPosition(
  context: EngineContext,
  { group, partition }: Pick<RebuildTarget, 'group' | 'partition'>,
): Promise<number> {
  return (await context.parts.log.committed(group, partition.topic))[partition.partition] ?? 0;
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
