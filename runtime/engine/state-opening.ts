import { hasCode, MillraceError } from '../ports/errors.ts';
import type { TaskState } from '../ports/state-store.ts';
import type { EngineContext } from './engine-context.ts';
import { catchUpAgain, finishFork, readMeta, rebuildTask, type RebuildTarget, reportedPosition } from './rebuild.ts';
import { count, freshMeta, metaEntry, newestBranch, type TaskMeta } from './task-meta.ts';
import { refuseNewer } from './task-opening.ts';

/**
 * Opens a task's state for a version of its topology: as it was left, begun where the task is new, rebuilt where it was lost, or taken
 * over from an older version. Every start of a version is stated on `snapshots`, so that nothing is ever folded again by another one.
 */
export async function openState(context: EngineContext, target: RebuildTarget): Promise<TaskState> {
  const { task, version } = target;
  const state = await context.parts.state.open(task);
  if (state.position === undefined) return await begunOrRebuilt(context, target, state);
  const meta = await readMeta(state, version);
  refuseNewer(task, meta.version, version);
  await finishFork(context, task, state, meta);
  if (meta.version < version) return await takenOver(context, target, state, meta);
  if (meta.switching === true) return await stated(context, target, state, meta);
  return await catchUpAgain(context, target, state);
}

/**
 * The state of a service that keeps its values: opened as a fold's. Where neither log nor snapshots reach back, it begins where the log
 * does, for a service that stands still helps nobody.
 */
export async function openKeptState(context: EngineContext, target: RebuildTarget): Promise<TaskState> {
  const { log, logger, state: store } = context.parts;
  const { task, version, partition } = target;
  try {
    return await openState(context, target);
  } catch (error) {
    if (!hasCode(error, 'LOG_TRUNCATED')) throw error;
    logger.error({ task, error: error.message }, 'a service has lost values for good: it begins where its log does');
    const state = await store.open(task);
    const start = (await log.startOffsets(partition.topic))[partition.partition] ?? 0;
    const end = (await log.endOffsets(partition.topic))[partition.partition] ?? 0;
    const meta = freshMeta(version);
    count(meta, 'expiredUnread', start);
    // what comes behind the end is new, also where the log has lost what the group had reported
    meta.rebuild = { saidBelow: Math.min(end, await reportedPosition(context, target)), dead: [], fork: null };
    await state.commit(state.position, { position: start, put: [metaEntry(meta)], delete: [] });
    return await store.open(task);
  }
}

/** A task that has a snapshot, or whose group reported a position, has lost its state; any other one is new. */
async function begunOrRebuilt(context: EngineContext, target: RebuildTarget, state: TaskState): Promise<TaskState> {
  const { log, logger, state: store } = context.parts;
  const { task, version, partition } = target;
  const known = await context.snapshots.of(task);
  const reported = await reportedPosition(context, target);
  if (known.length > 0 || reported > 0) {
    if (reported > 0) logger.warn({ task, reported }, 'the state is gone; it is rebuilt');
    return await rebuildTask(context, target, log.lostTail === true ? 'log-tail' : 'state');
  }
  const start = (await log.startOffsets(partition.topic))[partition.partition] ?? 0;
  const meta = freshMeta(version);
  if (start > 0) {
    logger.warn({ task, start }, 'a new topology begins where its log starts: what lies before was deleted');
    count(meta, 'expiredUnread', start);
  }
  await context.snapshots.begin({ task, version, branch: 0 }, start);
  await state.commit(undefined, { position: start, put: [metaEntry(meta)], delete: [] });
  return await store.open(task);
}

/**
 * A newer version begins where the older one stopped: it keeps the origin and its ordinals. From the commit on, the older program
 * refuses the state; the snapshot states the position, and no rebuild by the newer one begins before it.
 */
async function takenOver(
  context: EngineContext,
  target: RebuildTarget,
  state: TaskState,
  meta: TaskMeta,
): Promise<TaskState> {
  const { task, version } = target;
  const { logger, state: store } = context.parts;
  const position = state.position ?? 0;
  const [newest] = await context.snapshots.of(task);
  refuseNewer(task, newest?.topologyVersion ?? version, version);
  if (newest?.topologyVersion === version) {
    logger.warn({ task, position, version }, 'the state went back to before its version began; it is rebuilt');
    return await rebuildTask(context, target, 'state');
  }
  const reported = await reportedPosition(context, target);
  if (position < reported) {
    throw new MillraceError(
      'CONFLICT',
      `the state of ${task} went back to ${position}, and version ${meta.version} had folded up to ${reported}: start the program with version ${meta.version} until it has caught up, then version ${version}`,
    );
  }
  logger.info({ task, position, from: meta.version, to: version }, 'a newer version takes over');
  meta.version = version;
  meta.switching = true;
  await state.commit(state.position, { position, put: [metaEntry(meta)], delete: [] });
  return await stated(context, target, await store.open(task), meta);
}

async function stated(
  context: EngineContext,
  { task, version }: RebuildTarget,
  state: TaskState,
  meta: TaskMeta,
): Promise<TaskState> {
  await context.snapshots.take({ task, version, branch: newestBranch(meta) }, state);
  meta.switching = false;
  await state.commit(state.position, { position: state.position ?? 0, put: [metaEntry(meta)], delete: [] });
  return await context.parts.state.open(task);
}
