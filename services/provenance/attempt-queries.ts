import type { ProvenanceStore } from './index.ts';

/** Attempts of a run's tasks in the order of their starts; `step` and `task` choose. */
export async function listAttempts(
  { database }: ProvenanceStore,
  runId: string,
  { task }: { readonly task?: string | undefined },
) {
  let query = database.selectFrom('attempts').selectAll().where('run_id', '=', runId).orderBy('started_at');
  if (task !== undefined) query = query.where('task_id', '=', task);
  const rows = await query.orderBy('task_id').orderBy('dispatch').execute();
  return rows.map((row) => ({
    taskId: row.task_id,
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
  }));
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
