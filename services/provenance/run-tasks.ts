/** The tasks of one run, page by page, and how many each step has. */
import { sql } from 'kysely';
import type { ArtifactSummary, ShownTask, StepCounts, TaskSearch } from '../../schemas/api/runs.ts';
import type { ProvenanceStore } from './index.ts';
import { badCursor } from './run-queries.ts';

/** Variables of one statement. */
const namesMax = 500;

type Database = ProvenanceStore['database'];

/** In the order in which their first tasks began. */
export async function countSteps({ database }: ProvenanceStore, runId: string): Promise<readonly StepCounts[]> {
  const rows = await database
    .selectFrom('tasks')
    .select(({ fn }) => [
      'step',
      'status',
      fn.countAll().as('tasks'),
      fn.min('started_at').as('started_at'),
      fn.max('ended_at').as('ended_at'),
    ])
    .where('run_id', '=', runId)
    .groupBy(['step', 'status'])
    .execute();
  const steps = new Map<string, StepCounts>();
  for (const { step, status, tasks, started_at, ended_at } of rows) {
    const known = steps.get(step) ?? { step, tasks: 0, statuses: {}, startedAt: null, endedAt: null };
    steps.set(step, {
      step,
      tasks: known.tasks + Number(tasks),
      statuses: { ...known.statuses, [status]: Number(tasks) },
      startedAt: least(known.startedAt, started_at),
      endedAt: most(known.endedAt, ended_at),
    });
  }
  const began = ({ startedAt }: StepCounts): number => startedAt ?? Number.POSITIVE_INFINITY;
  return [...steps.values()].sort((a, b) => (began(a) === began(b) ? 0 : began(a) - began(b)));
}

/** In the order of their starts, those that have not begun last. `next` is null on the last page. */
export async function findTasks(
  { database }: ProvenanceStore,
  runId: string,
  { step, status, task, limit, cursor }: TaskSearch,
): Promise<{ readonly tasks: readonly ShownTask[]; readonly next: string | null }> {
  const skipped = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isSafeInteger(skipped) || skipped < 0) throw badCursor(cursor ?? '');
  if (limit === 0) return { tasks: [], next: null };
  let query = database.selectFrom('tasks').selectAll().where('run_id', '=', runId);
  if (step !== undefined) query = query.where('step', '=', step);
  if (status !== undefined) query = query.where('status', '=', status);
  if (task !== undefined) query = query.where('task_id', '=', task);
  const found = await query
    .orderBy(sql`case when started_at is null then 1 else 0 end`)
    .orderBy('started_at')
    .orderBy('task_id')
    .limit(limit + 1)
    .offset(skipped)
    .execute();
  const page = found.slice(0, limit);
  const artifacts = await artifactsOf(
    database,
    runId,
    page.map(({ task_id }) => task_id),
  );
  return {
    tasks: page.map((row) => ({
      taskId: row.task_id,
      status: row.status,
      attempt: row.attempt,
      worker: row.worker,
      startedAt: row.started_at,
      endedAt: row.ended_at,
      message: row.message,
      waits: row.waits_since === null ? null : { since: row.waits_since, compute: row.compute ?? '' },
      logsHash: row.logs_hash,
      originRunId: row.origin_run_id,
      originTaskId: row.origin_task_id,
      artifacts: artifacts.get(row.task_id) ?? [],
    })),
    next: found.length > limit ? String(skipped + limit) : null,
  };
}

async function artifactsOf(
  database: Database,
  runId: string,
  taskIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ArtifactSummary[]>> {
  const artifacts = new Map<string, ArtifactSummary[]>();
  for (let from = 0; from < taskIds.length; from += namesMax) {
    const rows = await database
      .selectFrom('artifacts')
      .select(['task_id', 'name', 'hash', 'size_bytes', 'codec'])
      .where('run_id', '=', runId)
      .where('task_id', 'in', taskIds.slice(from, from + namesMax))
      .orderBy('offset')
      .execute();
    for (const { task_id, name, hash, size_bytes, codec } of rows) {
      const known = artifacts.get(task_id) ?? [];
      known.push({ name, hash, sizeBytes: size_bytes, codec });
      artifacts.set(task_id, known);
    }
  }
  return artifacts;
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function most(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
