import type { TaskClosed } from '../../schemas/events.ts';
import { stepOfTask } from '../../schemas/task-id.ts';
import {
  artifactDataset,
  type Dataset,
  errorMessage,
  facet,
  jobType,
  modelDataset,
  ownFacet,
  type RunEvent,
  runEvent,
  uuidOf,
} from './open-lineage.ts';
import type { ToldRun } from './run-events.ts';

/** Walks of a foreach, and rounds of a repeat, whose tasks are told even when they end well. */
export const walksTold = 100;

/** What is kept of an open task: who holds it, and what that one says of it. */
export interface ToldTask {
  readonly dispatch: number;
  readonly incarnation: string;
  readonly startedAt: number;
  readonly read?: readonly { readonly name: string; readonly hash: string }[];
  readonly wrote?: readonly {
    readonly name: string;
    readonly hash: string;
    readonly sizeBytes: number;
    readonly codec: string;
  }[];
  /** Models that it asks to register, JSON. */
  readonly models?: readonly string[];
}

export type TaskEnd = 'COMPLETE' | 'FAIL' | 'ABORT';

/** Tasks that pack results are the platform's own. */
export function isTold(taskId: string): boolean {
  return taskId.split('.').every((part) => part !== '-pack' && !(Number(part) >= walksTold));
}

/** Its start and its end: both are said once it is closed, since only then it is known which start was the one that counts. */
export function taskEvents(
  run: ToldRun,
  closed: TaskClosed,
  task: ToldTask,
  end: TaskEnd,
  timeMs: number,
): readonly RunEvent[] {
  const { runId, taskId, attempt, worker, outcome, message } = closed;
  const { namespace, name } = run.job;
  const parent = facet('ParentRunFacet', '1-1-0', { run: { runId: uuidOf(runId) }, job: run.job });
  const known = ownFacet('task', { runId, taskId, attempt, worker, outcome });
  const failure = end === 'COMPLETE' ? {} : { errorMessage: errorMessage(message) };
  const job = { namespace, name: `${name}.${stepOfTask(taskId)}`, facets: { jobType: jobType('STEP') } };
  const facets = { parent, millrace_task: known };
  const openRunId = uuidOf(runId, taskId);
  const inputs = (task.read ?? []).map((artifact) => artifactDataset(run.job, artifact));
  const outputs = end === 'COMPLETE' ? outputsOf(run, task) : [];
  return [
    runEvent('START', task.startedAt, { run: { runId: openRunId, facets }, job }),
    runEvent(end, timeMs, { run: { runId: openRunId, facets: { ...facets, ...failure } }, job, inputs, outputs }),
  ];
}

function outputsOf({ job }: ToldRun, { wrote = [], models = [] }: ToldTask): readonly Dataset[] {
  return [
    ...wrote.map((artifact) => artifactDataset(job, artifact)),
    ...models.flatMap((body) => {
      const model = registered(body);
      return model === undefined ? [] : [modelDataset(job.namespace, model)];
    }),
  ];
}

function registered(body: string): { readonly name: string; readonly hash: string } | undefined {
  try {
    const { model, artifact } = JSON.parse(body) as { model?: unknown; artifact?: { hash?: unknown } };
    return typeof model === 'string' && typeof artifact?.hash === 'string'
      ? { name: model, hash: artifact.hash }
      : undefined;
  } catch {
    return undefined;
  }
}
