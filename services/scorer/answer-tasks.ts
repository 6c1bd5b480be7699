import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { WorkerReply } from './worker-pool.ts';

/** In a worker thread: answers each task with what `work` gives or throws. The pool sends one at a time. */
export function answerTasks<T>(work: (task: T) => unknown): void {
  parentPort?.on('message', (task: T) => void answer(work, task));
}

async function answer<T>(work: (task: T) => unknown, task: T): Promise<void> {
  let reply: WorkerReply;
  try {
    reply = { result: await work(task) };
  } catch (error) {
    reply = { error: messageOf(error) };
  }
  parentPort?.postMessage(reply);
}
