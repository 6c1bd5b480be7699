/** The answer of `memory` to a task that asked. */
import type { TaskCompleted, TaskRemembered } from '../../schemas/events.ts';
import { acceptRemembered, completionProblem } from './acceptance.ts';
import { dispatch } from './dispatch.ts';
import { openFor } from './holding.ts';
import { isMemoised, memoryKeyOf } from './memory-key.ts';
import type { Work } from './work.ts';

/** The task ends as the one that is remembered, or is offered; an answer that comes late, or to another question, changes nothing. */
export function remembered(work: Work, { taskId, memoryKey, outcome }: TaskRemembered): void {
  const found = openFor(work, taskId);
  if (found === undefined || found.task.phase !== 'sought') {
    work.count('answersLate');
    return;
  }
  const { plan, place, task } = found;
  if (!isMemoised(plan, place) || memoryKeyOf(work, plan, place) !== memoryKey) {
    work.count('answersLate');
    return;
  }
  if (outcome !== null && completionProblem(plan, place, outcome as unknown as TaskCompleted) === undefined) {
    acceptRemembered(work, plan, place, task, outcome);
    return;
  }
  dispatch(work, plan, place, { ...task, attempt: task.attempt + 1, dispatch: task.dispatch + 1 });
}
