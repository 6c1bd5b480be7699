/**
 * What facts about tasks mean for the tables. Workers say what they did; what counts of it `run-progress` says. So a status of a worker's
 * own word never replaces an outcome, and a word about an earlier attempt changes nothing.
 */
import type { FollowedEvent } from '../../runtime/engine/runtime.ts';
import type { RowOf } from '../../runtime/ports/query-store.ts';
import { stepOfTask } from '../../schemas/task-id.ts';
import type { Change } from './rows.ts';
import type { tables } from './tables.ts';

type Place = { readonly topic: string; readonly partition: number; readonly offset: number };
type TaskRow = RowOf<typeof tables.tasks>;

const noOrigin = { origin_run_id: null, origin_task_id: null };
const noWait = { waits_since: null, compute: null };
const startColumns = [
  ...(['status', 'attempt', 'dispatch', 'worker', 'started_at', 'ended_at', 'message'] as const),
  ...(['waits_since', 'compute'] as const),
];

export function taskRows(event: FollowedEvent<'runs'>, at: Place): readonly Change[] {
  switch (event.type) {
    case 'task-started': {
      const { token, worker } = event.data;
      const row = { ...rowOf(event.data, at), ...numbers(token), worker, started_at: event.timeMs };
      return [{ table: 'tasks', row, set: startColumns }];
    }
    case 'phase-lapsed': {
      const { phase, attempt, dispatch, compute = '', waitsSince = null } = event.data;
      if (phase !== 'dispatched' || waitsSince === null) return [];
      const message = `no worker of the compute class '${compute}' has taken it`;
      const waits = { status: 'waiting', message, waits_since: waitsSince, compute };
      const row = { ...rowOf(event.data, at), attempt, dispatch, ...waits };
      return [{ table: 'tasks', row, set: ['status', 'attempt', 'dispatch', 'message', 'waits_since', 'compute'] }];
    }
    case 'task-completed':
    case 'task-failed': {
      const { token, worker, logs } = event.data;
      if (logs === undefined || logs === null) return [];
      const row = { ...rowOf(event.data, at), ...numbers(token), worker, logs_hash: logs.hash };
      return [{ table: 'tasks', row, set: ['logs_hash'] }];
    }
    case 'task-retried': {
      const { attempt, kind, message } = event.data;
      const row = { ...rowOf(event.data, at), attempt, status: kind, message, ended_at: event.timeMs };
      return [{ table: 'tasks', row, set: ['status', 'message', 'ended_at'] }];
    }
    case 'task-closed': {
      const { taskId, attempt, dispatch, worker, outcome, kind, message } = event.data;
      const { originRunId = null, originTaskId = null } = event.data;
      const well = outcome === 'completed' || originRunId !== null;
      const status = well ? 'completed' : outcome === 'failed' ? (kind ?? outcome) : outcome;
      const ended = { status, message: well ? null : message, ended_at: event.timeMs, closed: 1, ...noWait };
      const origin = { origin_run_id: originRunId, origin_task_id: originTaskId ?? taskId };
      const said = originRunId === null ? ended : { ...ended, started_at: event.timeMs, ...origin };
      const row = { ...rowOf(event.data, at), attempt, dispatch, worker: worker ?? '', ...said };
      if (originRunId !== null) return [{ table: 'tasks', row, set: 'all' }];
      const set = [
        ...(['status', 'attempt', 'dispatch', 'message', 'ended_at', 'closed'] as const),
        ...(['waits_since', 'compute'] as const),
      ];
      return [{ table: 'tasks', row, set: worker === null ? set : [...set, 'worker'] }];
    }
    default:
      return [];
  }
}

/** A task of which nothing else is known. */
function rowOf({ runId, taskId }: { readonly runId: string; readonly taskId: string }, at: Place): TaskRow {
  const nothing = { started_at: null, ended_at: null, message: null, logs_hash: null, ...noWait, ...noOrigin };
  return {
    run_id: runId,
    task_id: taskId,
    step: stepOfTask(taskId),
    status: 'running',
    attempt: 1,
    dispatch: 1,
    closed: 0,
    worker: '',
    ...nothing,
    ...at,
  };
}

function numbers({ attempt, dispatch }: { readonly attempt: number; readonly dispatch: number }) {
  return { attempt, dispatch };
}
