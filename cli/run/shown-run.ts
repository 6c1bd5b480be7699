/** A run as text: how it stands, its steps when its tasks are many, a page of its tasks. */
import type { ShownRun } from '../../sdk/client/index.ts';
import { dim, green, red, yellow } from '../ui/style.ts';
import { duration, table } from '../ui/table.ts';
import { waitingByClass, waitingText } from './waiting-text.ts';

type ShownTask = ShownRun['tasks'][number];
type StepCounts = ShownRun['steps'][number];

export function shownRun(run: ShownRun, nowMs = Date.now()): readonly string[] {
  const { steps, tasks, failure } = run;
  const head = `run ${run.runId} of ${run.flow} v${run.version}: ${statusText(run.status)}${failure === null ? '' : ` ${red(failure)}`}`;
  const all = steps.reduce((sum, step) => sum + step.tasks, 0);
  const counts = all === tasks.length ? [] : [stepTable(steps), dim(`${tasks.length} of ${all} tasks:`)];
  const offered = tasks.flatMap(({ taskId, waits }) =>
    waits === null ? [] : [{ taskId, compute: waits.compute, sinceMs: waits.since }],
  );
  const waiting = waitingByClass(offered).map((one) => yellow(waitingText(one, nowMs)));
  return [head, ...counts, ...(tasks.length === 0 ? [] : [taskTable(run)]), ...waiting];
}

export function statusText(status: string): string {
  if (status === 'completed') return green(status);
  return status === 'running' ? yellow(status) : red(status);
}

function stepTable(steps: readonly StepCounts[]): string {
  return table(steps, [
    { title: 'STEP', value: ({ step }) => step },
    { title: 'TASKS', value: ({ tasks }) => tasks, align: 'right' },
    {
      title: 'STATUS',
      value: ({ statuses }) =>
        Object.entries(statuses)
          .map(([status, tasks]) => `${tasks} ${statusText(status)}`)
          .join(', '),
    },
    {
      title: 'TOOK',
      value: ({ startedAt, endedAt }) =>
        startedAt === null || endedAt === null ? '' : duration(Math.max(0, endedAt - startedAt)),
      align: 'right',
    },
  ]);
}

function taskTable(run: ShownRun): string {
  return table(run.tasks, [
    { title: 'TASK', value: ({ taskId }) => taskId },
    { title: 'STATUS', value: (task) => `${statusText(task.status)}${dim(originText(run, task))}` },
    { title: 'ATTEMPT', value: ({ attempt }) => attempt, align: 'right' },
    {
      title: 'TOOK',
      value: ({ startedAt, endedAt }) => (startedAt === null || endedAt === null ? '' : duration(endedAt - startedAt)),
      align: 'right',
    },
    {
      title: 'ARTIFACTS',
      value: ({ artifacts }) => artifacts.map(({ name, sizeBytes }) => `${name} (${sizeBytes} B)`).join(', '),
    },
  ]);
}

/** A resumed run takes over from one run, which its head names; a memoised step from any. */
function originText({ originRunId: resumed }: ShownRun, { taskId, originRunId, originTaskId }: ShownTask): string {
  if (originRunId === null) return '';
  if (originRunId === resumed) return ' (taken over)';
  return ` (recalled from run ${originRunId}${originTaskId === taskId ? '' : `, ${originTaskId}`})`;
}
