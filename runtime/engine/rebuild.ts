import { hasCode } from '../ports/errors.ts';
import type { TopicPartition } from '../ports/log.ts';
import type { TaskState } from '../ports/state-store.ts';
import { deadLetterHeader } from './dead-letter.ts';
import type { EngineContext } from './engine-context.ts';
import { textHeader } from './envelope.ts';
import { decodeMeta, metaEntry, metaKeys, type TaskMeta } from './task-meta.ts';

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
 * Makes a task's state anew: from the newest snapshot that the log still reaches, else from the start of the log. What it said
 * below the position that it reported is not said again; what lies between is, under the same stamps, since it may not have arrived.
 */
export async function rebuildTask(context: EngineContext, target: RebuildTarget, loss: Loss): Promise<TaskState> {
  const { state: store, log } = context.parts;
  const { task, partition, version } = target;
  const end = (await log.endOffsets(partition.topic))[partition.partition] ?? 0;
  const old = await store.open(task);
  const oldMeta = await readMeta(old, version);
  const snapshot = loss === 'whole-log' ? undefined : await context.snapshots.newest(task);
  await store.reset(task);
  let state = await store.open(task);
  if (snapshot !== undefined && snapshot.position <= end) {
    await state.restore(snapshot.position, context.snapshots.entries(snapshot));
    state = await store.open(task);
  }
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
  if (forkAt !== undefined) await context.snapshots.take(task, version, state);
  return state;
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
  if (meta.version > version || (state.position ?? 0) >= saidBelow || (meta.rebuild?.saidBelow ?? 0) >= saidBelow)
    return state;
  meta.rebuild = { saidBelow, dead: await deadOffsets(context, task), fork: meta.rebuild?.fork ?? null };
  await state.commit(state.position, { position: state.position ?? 0, put: [metaEntry(meta)], delete: [] });
  return await context.parts.state.open(task);
}

async function readMeta(state: TaskState, version: number): Promise<TaskMeta> {
  const [bytes] = await state.get(metaKeys);
  return decodeMeta(bytes, version);
}

function newestBranch({ branch, rebuild }: TaskMeta): number {
  return Math.max(branch, rebuild?.fork?.branch ?? 0);
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
    return await rebuildTask(context, target, error.details['topicMadeAnew'] === true ? 'whole-log' : 'log-tail');
  }
  if (hasCode(error, 'LOG_TRUNCATED')) {
    const snapshot = await context.snapshots.newest(task);
    const start = (await log.startOffsets(partition.topic))[partition.partition] ?? 0;
    if (snapshot === undefined || snapshot.position < start) return undefined;
    logger.warn({ task, position: snapshot.position }, 'the state is rebuilt from its newest snapshot');
    return await rebuildTask(context, target, 'state');
  }
  return undefined;
}

/** A task without state whose group reported a position has lost its state. */
export async function lostItsState(context: EngineContext, target: RebuildTarget, state: TaskState): Promise<boolean> {
  return state.position === undefined && (await reportedPosition(context, target)) > 0;
}

/** What the group remembers: folded up to here, and said. */
async function reportedPosition(context: EngineContext, { group, partition }: RebuildTarget): Promise<number> {
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
