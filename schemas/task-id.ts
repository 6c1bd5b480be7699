/** Name of a task's step: its id without the places in foreachs, repeats and gangs (`trials.3.fit` is `trials.fit`). */
export function stepOfTask(taskId: string): string {
  return taskId
    .split('.')
    .filter((part) => !/^\d+$/.test(part))
    .join('.');
}
