/**
 * What running steps save to go on from. The newest of each name counts, if its worker holds the task: one that was replaced can leave
 * nothing to the next attempt. They go with the task when it ends well; what failed keeps them for the run that resumes it.
 */
import type { CheckpointSaved } from '../../schemas/events.ts';
import { revoke } from './dispatch.ts';
import { holderProblem, openFor } from './holding.ts';
import { recordRefusal } from './leases.ts';
import { settingsOf, stepNameOf } from './places.ts';
import { checkpointsMax } from './state.ts';
import type { Work } from './work.ts';

export function saveCheckpoint(work: Work, { taskId, token, worker, checkpoint }: CheckpointSaved): void {
  const found = openFor(work, taskId);
  const before = found?.task.checkpoints ?? [];
  const others = before.filter(({ name }) => name !== checkpoint.name);
  const problem =
    holderProblem(work, taskId, token) ??
    (others.length >= checkpointsMax ? `it has ${checkpointsMax} checkpoints` : undefined);
  if (found === undefined || problem !== undefined) {
    const reason = problem ?? 'the run is over';
    work.count('checkpointsRefused');
    revoke(work, taskId, token, reason);
    recordRefusal(work, { action: 'task.checkpoint', taskId, token, worker, reason });
    return;
  }
  const { place, task } = found;
  const { runId, run } = work;
  work.setTask(taskId, { ...task, checkpoints: [...others, checkpoint] });
  work.count('checkpointsSaved');
  work.emit({
    topic: 'artifacts',
    type: 'checkpoint-written',
    key: runId,
    data: {
      runId,
      taskId,
      step: stepNameOf(place),
      flow: run?.flow ?? '',
      attempt: task.attempt,
      checkpoint,
      kept: settingsOf(place).keepCheckpoints === true,
    },
  });
}
