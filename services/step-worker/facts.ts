import { idOf } from '../../schemas/derived-ids.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import type { ArtifactRef, TaskOutcome } from '../../runtime/ports/task-executor.ts';
import type { Position, TaskDispatched } from '../../schemas/events.ts';
import { tokenOf } from './claim.ts';

export interface WorkerName {
  readonly worker: string;
  /** New with each start of the process. */
  readonly incarnation: string;
}

export function startedFact(
  dispatched: TaskDispatched,
  { worker, incarnation }: WorkerName,
  address: string,
  work: Position,
): IdentifiedOutput {
  const { runId, taskId } = dispatched;
  const token = tokenOf(dispatched, incarnation);
  const id = idOf('started', runId, taskId, token.attempt, token.dispatch, incarnation);
  return { topic: 'runs', type: 'task-started', key: runId, id, data: { runId, taskId, token, worker, address, work } };
}

/** What a running step has saved; `number` counts within its attempt. */
export function checkpointFact(
  dispatched: TaskDispatched,
  { worker, incarnation }: WorkerName,
  checkpoint: ArtifactRef,
  number: number,
): IdentifiedOutput {
  const { runId, taskId } = dispatched;
  const token = tokenOf(dispatched, incarnation);
  const id = idOf('checkpoint', runId, taskId, token.attempt, token.dispatch, incarnation, number);
  return {
    topic: 'runs',
    type: 'checkpoint-saved',
    key: runId,
    id,
    data: { runId, taskId, token, worker, checkpoint },
  };
}

/** A failure that the worker itself states. */
export function factOf(
  what: string,
  dispatched: TaskDispatched,
  name: WorkerName,
  failure: { readonly kind: string; readonly message: string },
): IdentifiedOutput {
  return endedFact(dispatched, name, { type: 'failed', stack: '', logs: undefined, ...failure }, what);
}

type Ended =
  | Extract<TaskOutcome, { type: 'completed' }>
  | (Omit<Extract<TaskOutcome, { type: 'failed' }>, 'kind'> & { readonly kind: string });

/** The terminal fact of an attempt. */
export function endedFact(
  dispatched: TaskDispatched,
  name: WorkerName,
  outcome: Ended,
  what: string = outcome.type,
): IdentifiedOutput {
  const { runId, taskId } = dispatched;
  const { worker, incarnation } = name;
  const token = tokenOf(dispatched, incarnation);
  const id = idOf(what, runId, taskId, token.attempt, token.dispatch, incarnation);
  const base = { runId, taskId, token, worker, logs: outcome.logs ?? null, cards: outcome.cards ?? [] };
  if (outcome.type === 'completed') {
    const { artifacts, requests, userMs, split = null, choice = null, again = false, inputs = [] } = outcome;
    const data = { artifacts, requests, userMs, split, choice, again, inputs, ...base };
    return { topic: 'runs', type: 'task-completed', key: runId, id, data };
  }
  const { kind, message, stack, final = false } = outcome;
  return { topic: 'runs', type: 'task-failed', key: runId, id, data: { ...base, kind, message, stack, final } };
}
