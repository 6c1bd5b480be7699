import type { TaskWork } from '../../ports/task-executor.ts';

/** Work as a pod gets it: with the limits of the executor that made the pod. */
export interface PodWork extends TaskWork {
  /** Limit of a step that states none, MiB. */
  readonly memoryMb: number;
  readonly logBytesMax: number;
}
