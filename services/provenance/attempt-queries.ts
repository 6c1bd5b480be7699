import type { ProvenanceStore } from './index.ts';

/** More names than this are chosen from all of the run. */
const namesMax = 500;

/**
 * Attempts of a run's tasks in the order of their starts; `task` chooses. A task that took over the outcome of another one, cloned or
 * recalled, has the attempts of that one: `runId` is the run in which each was made.
 */
export async function listAttempts(
  { database }: ProvenanceStore,
  runId: string,
  { task }: { readonly task?: string | undefined },
) {
  const found = await attemptsIn(database, runId, task === undefined ? undefined : new Map([[task, [task]]]));
  return found.sort(
    (a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0) || a.taskId.localeCompare(b.taskId) || a.dispatch - b.dispatch,
  );
}

/** `shownAs`: tasks of this run, and as which tasks they are to be shown; undefined: all, as themselves. */
async function attemptsIn(
  database: ProvenanceStore['database'],
  runId: string,
  shownAs: ReadonlyMap<string, readonly string[]> | undefined,
) {
  const names = shownAs === undefined || shownAs.size > namesMax ? undefined : [...shownAs.keys()];
  let attempts = database.selectFrom('attempts').selectAll().where('run_id', '=', runId);
  let others = database
    .selectFrom('tasks')
    .select(['task_id', 'origin_run_id', 'origin_task_id'])
    .where('run_id', '=', runId)
    .where('origin_run_id', 'is not', null);
  if (names !== undefined) {
    attempts = attempts.where('task_id', 'in', names);
    others = others.where('task_id', 'in', names);
  }
  const shown = (taskId: string): readonly string[] => (shownAs === undefined ? [taskId] : (shownAs.get(taskId) ?? []));
  const own = (await attempts.execute()).flatMap((row) =>
    shown(row.task_id).map((taskId) => ({
      runId,
      taskId,
      dispatch: row.dispatch,
      incarnation: row.incarnation,
      attempt: row.attempt,
      worker: row.worker,
      status: row.status,
      message: row.message,
      startedAt: row.started_at,
      endedAt: row.ended_at,
      logsHash: row.logs_hash,
      cards: JSON.parse(row.cards) as Readonly<Record<string, string>>,
      work: row.work_partition === null ? null : { partition: row.work_partition, offset: row.work_offset ?? 0 },
    })),
  );
  const origins = new Map<string, Map<string, string[]>>();
  for (const { task_id, origin_run_id: origin, origin_task_id } of await others.execute()) {
    if (origin === null || origin === runId) continue;
    const tasks = origins.get(origin) ?? new Map<string, string[]>();
    const there = origin_task_id ?? task_id;
    tasks.set(there, [...(tasks.get(there) ?? []), ...shown(task_id)]);
    origins.set(origin, tasks);
  }
  for (const [origin, tasks] of origins) own.push(...(await attemptsIn(database, origin, tasks)));
  return own;
}

/** Where the lines of a run lie that were written while its steps ran. */
export async function listLines({ database }: ProvenanceStore, runId: string) {
  const rows = await database
    .selectFrom('task_lines')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('first_line')
    .execute();
  return rows.map(({ task_id, dispatch, incarnation, first_line, partition, offset }) => ({
    taskId: task_id,
    dispatch,
    incarnation,
    firstLine: first_line,
    partition,
    offset,
  }));
}

/** What the tasks of a run can go on from, or have kept. */
export async function listCheckpoints({ database }: ProvenanceStore, runId: string) {
  const rows = await database
    .selectFrom('checkpoints')
    .innerJoin('tasks', (on) =>
      on.onRef('tasks.run_id', '=', 'checkpoints.run_id').onRef('tasks.task_id', '=', 'checkpoints.task_id'),
    )
    .select(['checkpoints.task_id', 'name', 'checkpoints.attempt', 'hash', 'size_bytes', 'codec', 'kept', 'written_at'])
    .where('checkpoints.run_id', '=', runId)
    .where((either) => either.or([either('kept', '=', 1), either('tasks.status', '!=', 'completed')]))
    .orderBy('checkpoints.task_id')
    .orderBy('name')
    .execute();
  return rows.map((row) => ({
    taskId: row.task_id,
    name: row.name,
    attempt: row.attempt,
    hash: row.hash,
    sizeBytes: row.size_bytes,
    codec: row.codec,
    kept: row.kept === 1,
    writtenAt: row.written_at,
  }));
}

/** Cards of a run as they were last heard while its steps ran. */
export async function listHeardCards({ database }: ProvenanceStore, runId: string) {
  const rows = await database
    .selectFrom('task_cards')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('card')
    .execute();
  return rows.map(({ task_id, dispatch, incarnation, card, hash }) => ({
    taskId: task_id,
    dispatch,
    incarnation,
    card,
    hash,
  }));
}

/** Where the run begins on the log, and how it stands. */
export async function placeOfRun({ database }: ProvenanceStore, runId: string) {
  const row = await database
    .selectFrom('runs')
    .select(['partition', 'offset', 'status', 'flow'])
    .where('id', '=', runId)
    .executeTakeFirst();
  return row;
}
