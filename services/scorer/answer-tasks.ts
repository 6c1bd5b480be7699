import { parentPort } from 'node:worker_threads';
import type { WorkerReply } from './worker-pool.ts';

/** In a worker thread: answers each task with what `work` gives or throws. */
export function answerTasks<T>(work: (task: T) => unknown): void {
  parentPort?.on('message', (task: T) => {
    let reply: WorkerReply;
    try {
      reply = { result: work(task) };
    } catch (error) {
      reply = { error: error instanceof Error ? error.message : String(error) };
    }
    parentPort?.postMessage(reply);
  });
}
