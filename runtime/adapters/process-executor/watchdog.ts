import { Worker } from 'node:worker_threads';

/**
 * A thread of its own, so that it also works while user code never yields: it ends the process group when the parent is gone (also by
 * kill -9), and when the process uses more memory than it may.
 */
export function startWatchdog(memoryMb: number): void {
  const options = { eval: true, execArgv: [], workerData: { parent: process.ppid, memoryMb }, stdout: false };
  new Worker(code, options).unref();
}

const code = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const limit = workerData.memoryMb * 1048576;
setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(-process.pid, 'SIGKILL');
  if (limit > 0 && process.memoryUsage.rss() > limit) {
    try { writeSync(2, 'out of memory: more than ' + workerData.memoryMb + ' MiB are in use\\n'); } catch {}
    process.kill(-process.pid, 'SIGKILL');
  }
}, 200);
`;
