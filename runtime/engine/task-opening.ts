import { hasCode, MillraceError } from '../ports/errors.ts';
import type { Log, LogRecord, TopicPartition } from '../ports/log.ts';
import type { TaskState } from '../ports/state-store.ts';
import { header } from './envelope.ts';
import { readOutbox } from './outbox.ts';
import { Receiver } from './receiver.ts';
import { count, decodeMeta, fingerprintOf, metaKeys, type TaskMeta } from './task-meta.ts';

/** What a task knows once its state is open and agrees with the log. */
export interface OpenedTask {
  readonly state: TaskState;
  readonly meta: TaskMeta;
  readonly receiver: Receiver;
  readonly position: number;
}

export interface OpeningOptions {
  readonly partition: TopicPartition;
  /** Version of the topology; a newer one in the state is refused. */
  readonly version: number;
  readonly idWindow: number;
  /**
   * Folds refuse a log that does not reach their state. Services have nothing that a rebuild could give back: they begin at this
   * group's position, or where the log starts, and say so. @default 'refuse'
   */
  readonly mismatch?: 'refuse' | { readonly group: string; warn(message: string): void };
}

/**
 * Reads a task's state, says its outbox again, and holds state and log against each other: a state that knows more than the log, or
 * a log that starts after the state, is refused.
 */
export async function openTask(log: Log, state: TaskState, options: OpeningOptions): Promise<OpenedTask> {
  const { partition, version, idWindow } = options;
  const [metaBytes] = await state.get(metaKeys);
  const meta = decodeMeta(metaBytes, version);
  refuseNewer(state.task, meta.version, version);
  meta.version = version;
  let position = state.position ?? 0;
  const { mismatch = 'refuse' } = options;
  if (mismatch !== 'refuse' && state.position === undefined) {
    position = (await log.committed(mismatch.group, partition.topic))[partition.partition] ?? 0;
  }
  try {
    await checkAgainstLog(log, state, meta, partition, position);
  } catch (error) {
    if (mismatch === 'refuse' || !hasCode(error, 'STATE_AHEAD_OF_LOG', 'LOG_TRUNCATED')) throw error;
    mismatch.warn(error.message);
    const start = (await log.startOffsets(partition.topic))[partition.partition] ?? 0;
    if (start > position) count(meta, 'expiredUnread', start - position);
    position = start;
  }
  const outbox = await readOutbox(state);
  if (outbox.length > 0) await log.append(outbox);
  const receiver = new Receiver(meta.watermarks, idWindow);
  await rememberIds(log, receiver, partition, position, idWindow);
  return { state, meta, receiver, position };
}

export function refuseNewer(task: string, found: number, version: number): void {
  if (found <= version) return;
  throw new MillraceError(
    'NEWER_FORMAT',
    `the state of ${task} was written by version ${found}, this program has ${version}: start the newer program`,
  );
}

async function checkAgainstLog(
  log: Log,
  state: TaskState,
  meta: TaskMeta,
  partition: TopicPartition,
  position: number,
): Promise<void> {
  const [start, end] = [await log.startOffsets(partition.topic), await log.endOffsets(partition.topic)];
  const endOffset = end[partition.partition] ?? 0;
  const startOffset = start[partition.partition] ?? 0;
  const where = `${partition.topic}/${partition.partition}`;
  if (position > endOffset) {
    throw new MillraceError(
      'STATE_AHEAD_OF_LOG',
      `${state.task} has folded ${where} up to ${position}, but it ends at ${endOffset}: set engine.rebuild_alone to true and start again: it is rebuilt as a new branch of its origin`,
    );
  }
  if (startOffset > position && (position > 0 || startOffset > 0)) {
    throw new MillraceError(
      'LOG_TRUNCATED',
      `${where} starts at ${startOffset}, after the position ${position} of ${state.task}, and no snapshot covers what is missing`,
    );
  }
  if (position === 0 || meta.fingerprint === '') return;
  for await (const records of log.read(partition, { from: position - 1, to: position })) {
    const record = records.find(({ offset }) => offset === position - 1);
    if (record !== undefined && fingerprintOf(record) !== meta.fingerprint) {
      throw new MillraceError(
        'STATE_AHEAD_OF_LOG',
        `${where}@${position - 1} is not the record that ${state.task} folded: the topic was made anew. Set engine.rebuild_alone to true and start again: it is rebuilt as a new branch of its origin`,
        { details: { topicMadeAnew: true } },
      );
    }
  }
}

/** The ids of the last `idWindow` records, so that a service's repeat is recognised right after a restart. */
export async function rememberIds(
  log: Log,
  receiver: Receiver,
  partition: TopicPartition,
  position: number,
  idWindow: number,
): Promise<void> {
  if (position === 0 || idWindow === 0) return;
  const note = (record: LogRecord): void => {
    const id = record.headers[header.id];
    // Ticks and replays are not judged by their ids.
    const control = record.headers[header.control]?.toString('utf8');
    if (id !== undefined && control !== 'tick' && control !== 'replay')
      receiver.remember(id.toString('utf8'), record.offset);
  };
  for await (const records of log.read(partition, { from: Math.max(0, position - idWindow), to: position }))
    records.forEach(note);
}
