/** Runs in a thread: topologies on the log that the main thread lends, and on the state, which LMDB shares among threads. */
import { parentPort, workerData } from 'node:worker_threads';
import { createRuntime } from '../../../runtime/engine/create-runtime.ts';
import { sentError } from '../../../runtime/adapters/thread-log/sent-errors.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { openThreadParts } from '../../../runtime/profiles/open-thread-parts.ts';
import { topologies } from '../../../topologies/index.ts';
import type { ThreadData, ThreadAsked, ThreadSays } from './messages.ts';

const reportEveryMs = 250;

const { configuration, topologies: names, port, loss } = workerData as ThreadData;
const say = (message: ThreadSays): void => parentPort?.postMessage(message);
const opened = await openThreadParts(configuration, port, loss);
const runtime = await createRuntime(opened.parts, {
  snapshotEveryRecords: configuration['engine.snapshot_every_records'],
});
let reporting: NodeJS.Timeout | undefined = undefined;
parentPort?.on('message', ({ type }: ThreadAsked) => {
  if (type === 'report') report(true);
  else void end(runtime);
});
const running = [];
for (const topology of topologies) if (names.includes(topology.name)) running.push(await runtime.runTopology(topology));
report(false);
reporting = setInterval(() => report(false), reportEveryMs);
say({ type: 'started' });
// A task that has failed does not keep the others from going on.
Promise.all(running.map((part) => part.ready())).then(
  () => {
    report(false);
    say({ type: 'caught-up' });
  },
  (error: unknown) => say({ type: 'not-caught-up', error: sentError(error) }),
);

function report(asked: boolean): void {
  say({ type: 'tasks', asked, stats: runtime.stats(), stopped: runtime.stopped() });
}

async function end(engine: Runtime): Promise<void> {
  clearInterval(reporting);
  try {
    await engine.close();
  } finally {
    await opened.close().finally(() => process.exit());
  }
}
