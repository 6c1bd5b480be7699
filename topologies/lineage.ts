/**
 * Tells runs, their tasks, and what these read and wrote as OpenLineage events: a run begins when it is requested, a task is told when
 * its outcome counts, so a zombie or an attempt that is refused leaves no trace. What another run has done already (a clone, a recalled
 * outcome) is not told again, and of a foreach only the first {@link walksTold} walks.
 *
 * Ledger: runsTold = runsEnded + open runs; tasksClosed = tasksTold + tasksUntold.
 */
import { type Effects, nothing, type Output, type StateView, type Topology } from '../runtime/engine/topology.ts';
import type { EventData, TaskCompleted } from '../schemas/events.ts';
import { runEnded, runStarted, type ToldRun, toldRunOf } from './lineage/run-events.ts';
import { isTold, type TaskEnd, taskEvents, type ToldTask, walksTold } from './lineage/task-events.ts';

type Facts = EventData['runs'];

const runKey = (runId: string): string => `run/${runId}`;
const tasksPrefix = (runId: string): string => `task/${runId}/`;
const taskKey = (runId: string, taskId: string): string => `${tasksPrefix(runId)}${taskId}`;

/** Tasks that a run may leave open at its end: starts that came too late to count. */
const leftMax = 500;

export const lineage: Topology<'runs'> = {
  name: 'lineage',
  version: 1,
  input: 'runs',
  outputs: ['lineage'],
  lingerMs: 25,
  summary: `tells runs and tasks as OpenLineage events, of a foreach the first ${walksTold} walks`,

  reads({ type, data }) {
    switch (type) {
      case 'run-requested':
        return { keys: [runKey(data.runId)] };
      case 'task-started':
      case 'task-completed':
        return isTold(data.taskId) ? { keys: [runKey(data.runId), taskKey(data.runId, data.taskId)] } : {};
      case 'task-closed':
        return { keys: [runKey(data.runId), taskKey(data.runId, data.taskId)] };
      case 'run-completed':
      case 'run-failed':
      case 'run-cancelled':
        return { keys: [runKey(data.runId)], ranges: [{ prefix: tasksPrefix(data.runId), limit: leftMax }] };
      default:
        return {};
    }
  },

  fold(event, state): Effects {
    const { type, data, timeMs } = event;
    switch (type) {
      case 'run-requested':
        return begin(data, state, timeMs);
      case 'task-started':
        return hold(data, state, timeMs);
      case 'task-completed':
        return keep(data, state);
      case 'task-closed':
        return close(data, state, timeMs);
      case 'run-completed':
        return end(data.runId, state, timeMs, { eventType: 'COMPLETE', artifacts: data.artifacts });
      case 'run-failed': {
        const message = data.step === '' ? data.message : `${data.step}: ${data.message}`;
        return end(data.runId, state, timeMs, { eventType: 'FAIL', message });
      }
      case 'run-cancelled':
        return end(data.runId, state, timeMs, { eventType: 'ABORT', message: data.reason });
      default:
        return nothing;
    }
  },
};

/** A run that is resumed in place begins again under its id. */
function begin(requested: Facts['run-requested'], state: StateView, timeMs: number): Effects {
  const { runId } = requested;
  if (state.get(runKey(runId)) !== undefined) return nothing;
  const run = toldRunOf(requested);
  return {
    put: [[runKey(runId), run]],
    emit: [outputOf(runId, runStarted(run, runId, timeMs))],
    count: { runsTold: 1 },
  };
}

/** The first start of a dispatch is its holder. */
function hold({ runId, taskId, token }: Facts['task-started'], state: StateView, startedAt: number): Effects {
  if (!isTold(taskId) || state.get(runKey(runId)) === undefined) return nothing;
  const before = state.get<ToldTask>(taskKey(runId, taskId));
  const { dispatch, incarnation } = token;
  if (before !== undefined && dispatch <= before.dispatch) return nothing;
  return { put: [[taskKey(runId, taskId), { dispatch, incarnation, startedAt } satisfies ToldTask]] };
}

/** What the holder says that it read and wrote counts once its task is closed. */
function keep(completed: TaskCompleted, state: StateView): Effects {
  const { runId, taskId, token, artifacts, requests, inputs = [] } = completed;
  if (!isTold(taskId)) return nothing;
  const task = state.get<ToldTask>(taskKey(runId, taskId));
  if (task?.dispatch !== token.dispatch || task.incarnation !== token.incarnation || task.wrote !== undefined)
    return nothing;
  const wrote = artifacts.map(({ name, hash, sizeBytes, codec }) => ({ name, hash, sizeBytes, codec }));
  const models = requests.filter(({ kind }) => kind === 'register-model').map(({ body }) => body);
  return { put: [[taskKey(runId, taskId), { ...task, read: inputs, wrote, models } satisfies ToldTask]] };
}

function close(closed: Facts['task-closed'], state: StateView, timeMs: number): Effects {
  const { runId, taskId, outcome } = closed;
  const run = state.get<ToldRun>(runKey(runId));
  const task = state.get<ToldTask>(taskKey(runId, taskId));
  const clear = task === undefined ? {} : { delete: [taskKey(runId, taskId)] };
  const ended = endOf(outcome);
  const wanted = isTold(taskId) || ended === 'FAIL';
  if (run === undefined || ended === undefined || !wanted || (task === undefined && ended === 'COMPLETE'))
    return { ...clear, count: { tasksClosed: 1, tasksUntold: 1 } };
  const told = taskEvents(run, closed, task ?? { dispatch: 0, incarnation: '', startedAt: timeMs }, ended, timeMs);
  return { ...clear, emit: told.map((event) => outputOf(runId, event)), count: { tasksClosed: 1, tasksTold: 1 } };
}

function endOf(outcome: string): TaskEnd | undefined {
  if (outcome === 'completed') return 'COMPLETE';
  if (outcome === 'failed' || outcome === 'lost') return 'FAIL';
  return outcome === 'cancelled' ? 'ABORT' : undefined;
}

function end(runId: string, state: StateView, timeMs: number, ended: Parameters<typeof runEnded>[2]): Effects {
  const run = state.get<ToldRun>(runKey(runId));
  const left = state.range(tasksPrefix(runId)).map(([key]) => key);
  if (run === undefined) return left.length === 0 ? nothing : { delete: left };
  return {
    delete: [runKey(runId), ...left],
    emit: [outputOf(runId, runEnded(run, runId, ended, timeMs))],
    count: { runsEnded: 1 },
  };
}

function outputOf(runId: string, event: ReturnType<typeof runStarted>): Output {
  const { eventType, job } = event;
  const data = { runId, eventType, job: `${job.namespace}/${job.name}`, event: JSON.stringify(event) };
  return { topic: 'lineage', type: 'lineage-told', key: runId, data };
}
