import { hasCode, MillraceError, messageOf } from '../ports/errors.ts';
import { partitionName, type TopicPartition } from '../ports/log.ts';
import type { StateEntry, TaskState } from '../ports/state-store.ts';
import { deadLetterHeader } from './dead-letter.ts';
import type { EngineContext } from './engine-context.ts';
import { textHeader } from './envelope.ts';
import type { SnapshotRef } from './snapshot-list.ts';
import { decodeMeta, freshMeta, metaEntry, metaKeys, newestBranch, type TaskMeta } from './task-meta.ts';
import { refuseNewer } from './task-opening.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

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
  const old = await store.open(task);
  const oldMeta = await readMeta(old, version);
  const known = await context.snapshots.of(task);
  const branch = 1 + Math.max(newestBranch(oldMeta), ...known.map((ref) => ref.branch));
  const reported = await reportedPosition(context, target);
  const left = log.recoveredEnds?.[partitionName(partition)] ?? end;
  // What came since the power went is new; unless the group has reported some of it: then another rebuild has forked there already.
  const tail = reported > left ? end : Math.min(end, left);
  const found = { state: undefined, 'log-tail': { at: tail, branch }, 'whole-log': { at: 0, branch } }[loss];
  // What an earlier try found stands: by now the log may have grown past the end that it had then. One that has a snapshot is done.
  const stored = await readFork(context, task);
  const fork = stored !== undefined && known.every((ref) => ref.branch < stored.branch) ? stored : found;
  const anew = fork?.at === 0;
  const foldedBefore = Math.min(end, fork?.at ?? end);
  const bases = anew ? [] : await basesOf(context, target, known, foldedBefore);
  const saidBelow = anew ? 0 : Math.min(foldedBefore, reported);
  const dead = anew ? [] : await deadOffsets(context, task);
  const mark = (meta: TaskMeta): TaskMeta => ({
    ...meta,
    branch: Math.max(meta.branch, oldMeta.branch),
    rebuild: { saidBelow, dead, fork: fork ?? meta.rebuild?.fork ?? oldMeta.rebuild?.fork ?? null },
  });
  if (fork !== undefined) await writeFork(context, task, fork);
  const state = await restored(context, target, bases, mark);
  await finishFork(context, task, state, await readMeta(state, version));
  return state;
}

/**
 * The last step of a rebuild from a fork on, made up for where it failed. The branch must outlive the store: receivers refuse what is
 * said under an older one. A fork of which the state knows nothing yet stays for the rebuild that it belongs to.
 */
export async function finishFork(
  context: EngineContext,
  task: string,
  state: TaskState,
  meta: TaskMeta,
): Promise<void> {
  const branch = meta.rebuild?.fork?.branch;
  if (branch === undefined || (await readFork(context, task))?.branch !== branch) return;
  await context.snapshots.take({ task, version: meta.version, branch: newestBranch(meta) }, state);
  await context.parts.state.reset(forkTask(task));
}

type Fork = NonNullable<NonNullable<TaskMeta['rebuild']>['fork']>;

/** Beside the task in the store, since it must outlive the task's own state, which is given up before it is made anew. */
const forkTask = (task: string): string => `${task}~fork`;
const forkKey = 'fork';

async function readFork({ parts }: EngineContext, task: string): Promise<Fork | undefined> {
  const [bytes] = await (await parts.state.open(forkTask(task))).get([forkKey]);
  return bytes === undefined ? undefined : (decodeValue(bytes) as Fork);
}

async function writeFork({ parts }: EngineContext, task: string, fork: Fork): Promise<void> {
  const state = await parts.state.open(forkTask(task));
  await state.commit(state.position, { position: fork.at, put: [[forkKey, encodeValue(fork)]], delete: [] });
}

/** The snapshots that a rebuild may begin at, best first. */
async function basesOf(
  context: EngineContext,
  { task, partition, version }: RebuildTarget,
  known: readonly SnapshotRef[],
  end: number,
): Promise<readonly SnapshotRef[]> {
  const start = (await context.parts.log.startOffsets(partition.topic))[partition.partition] ?? 0;
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
async function restored(
  context: EngineContext,
  { task, version }: RebuildTarget,
  bases: readonly SnapshotRef[],
  mark: (meta: TaskMeta) => TaskMeta,
): Promise<TaskState> {
  const { state: store, logger } = context.parts;
  let damage: MillraceError | undefined;
  for (const base of bases) {
    await store.reset(task);
    try {
      await (await store.open(task)).restore(base.position, marked(context.snapshots.entries(base), version, mark));
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
  const state = await store.open(task);
  await state.commit(undefined, { position: 0, put: [metaEntry(mark(freshMeta(version)))], delete: [] });
  return await store.open(task);
}

/** The entries of a snapshot, with what a rebuild has to respect: there is no state without it, whenever the process ends. */
async function* marked(
  pages: AsyncIterable<readonly StateEntry[]>,
  version: number,
  mark: (meta: TaskMeta) => TaskMeta,
): AsyncIterable<readonly StateEntry[]> {
  let found: Uint8Array | undefined;
  for await (const page of pages) {
    found ??= page.find(([key]) => metaKeys.includes(key))?.[1];
    yield page.filter(([key]) => !metaKeys.includes(key));
  }
  yield [metaEntry(mark(decodeMeta(found, version)))];
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
