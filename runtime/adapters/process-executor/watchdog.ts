import { Worker } from 'node:worker_threads';

export interface Watchdog {
  /** Whether memory is counted over the whole process group, as it is while a program runs in it. Linux only. */
  watchGroup(on: boolean): void;
}

/**
 * A thread of its own, so that it also works while user code never yields: it ends the process group when the parent is gone (also by
 * kill -9), and when the process, or its group, uses more memory than it may.
 */
export function startWatchdog(memoryMb: number): Watchdog {
  const options = { eval: true, execArgv: [], workerData: { parent: process.ppid, memoryMb }, stdout: false };
  const worker = new Worker(code, options);
  worker.unref();
  return { watchGroup: (on) => worker.postMessage(on) };
}

const code = `
const { parentPort, workerData } = require('node:worker_threads');
const { readdirSync, readFileSync, writeSync } = require('node:fs');
const limit = workerData.memoryMb * 1048576;
let group = false;
parentPort.on('message', (on) => { group = on; }).unref();
setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(-process.pid, 'SIGKILL');
  if (limit > 0 && process.memoryUsage.rss() + (group ? rssOfOthers() : 0) > limit) {
    try { writeSync(2, 'out of memory: more than ' + workerData.memoryMb + ' MiB are in use\\n'); } catch {}
    process.kill(-process.pid, 'SIGKILL');
  }
}, 200);
// Pages that members share are counted once each: a limit errs on the side of the machine.
function rssOfOthers() {
  let bytes = 0;
  try {
    for (const name of readdirSync('/proc')) {
      if (!/^[0-9]+$/.test(name) || Number(name) === process.pid) continue;
      try {
        const stat = readFileSync('/proc/' + name + '/stat', 'latin1');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (Number(fields[2]) !== process.pid) continue;
        const [, kib = 0] = /VmRSS:\\s+(\\d+) kB/.exec(readFileSync('/proc/' + name + '/status', 'latin1')) ?? [];
        bytes += Number(kib) * 1024;
      } catch {}
    }
  } catch {}
  return bytes;
}
`;
