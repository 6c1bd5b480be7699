/**
 * All monitoring state made anew from the log: what every topology that watches keeps, and the tables of `provenance`. Predictions of one
 * row, feedback on each, and what follows from them; then the state and the tables are deleted, no snapshot helps, and both digests must be
 * what they were. Run: `npx tsx bench/monitoring/rebuild.ts [events on the log] [--json]`.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { openSqliteQueryStore } from '../../runtime/adapters/query/sqlite-query-store.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { tableDigest } from '../../runtime/testing/table-digest.ts';
import { predictionId } from '../../schemas/derived-ids.ts';
import { topics } from '../../schemas/topics.ts';
import { startWatcherThread } from '../../services/all-in-one/watcher-thread/topologies-thread-handle.ts';
import { watchers } from '../../services/all-in-one/watchers.ts';
import { provenance } from '../../services/provenance/projection.ts';
import { feedback } from '../../test/topologies/prediction-events.ts';
import { topologies } from '../../topologies/index.ts';
import { costLine, costOf, positionals, sayFigures } from '../figures.ts';
import { type MonitoredLog, openMonitoredLog } from './monitored-log.ts';

const wanted = Number(positionals[0] ?? 1_000_000);
/** A prediction, its feedback, the reward; what else there is comes by the hundred. */
const predictions = Math.floor(wanted / 3);
const names = topologies.map(({ name }) => name).filter((name) => watchers.has(name));
const quietMs = 5_000;
// What is waited for may have unreferenced timers alone.
const alive = setInterval(() => undefined, 1_000);

let log = await openMonitoredLog({ 'engine.snapshot_every_records': '1000000000' });
await log.write(predictions, 0, 1);
await writeFeedback(log.runtime, predictions);
const first = await fill(log, true);
const events = await eventsOn(log.runtime);
const { directory } = log.configuration;
await log.closeParts();
for (const part of ['state', 'query']) await rm(join(directory, part), { recursive: true, force: true });
log = await openMonitoredLog({ directory, 'engine.snapshot_every_records': '1000000000' });
let second = first;
const cost = await costOf(async () => void (second = await fill(log, false)));
console.log(costLine(`monitoring state made anew, ${events} events`, events, cost));
const differ = [...first].filter(([what, digest]) => second.get(what) !== digest).map(([what]) => what);
console.log(`digests of ${first.size} parts ${differ.length === 0 ? 'agree' : `DIFFER: ${differ.join(', ')}`}`);
if (differ.length > 0 || second.size !== first.size) process.exitCode = 1;
sayFigures([
  { name: `monitoring state of ${wanted.toLocaleString('en')} events made anew`, value: cost.seconds, unit: 's' },
  { name: 'monitoring state made anew, CPU', value: cost.cpuUs / events, unit: 'µs/event' },
]);
await log.close();
clearInterval(alive);

/** By task, and `tables`. */
type Digests = ReadonlyMap<string, string>;

/** Until everything on the log is folded and in the tables. */
async function fill({ runtime, configuration }: MonitoredLog, rests: boolean): Promise<Digests> {
  const store = await openSqliteQueryStore({
    file: join(configuration.directory, 'query', 'bench.db'),
    schema: provenance,
  });
  const thread = await startWatcherThread(runtime, configuration, names);
  const projection = await runtime.runProjection(provenance, store);
  await thread.ready();
  await eventually('everything is folded', () => isCaughtUp(runtime), 3_000_000);
  if (rests) await untilNothingIsSaid(runtime);
  await thread.close();
  await projection.caughtUp(600_000);
  await projection.close();
  const digests = new Map(await stateDigests(runtime)).set(
    'tables',
    await tableDigest(store as never, provenance.tables),
  );
  await store.close();
  return digests;
}

/** What waits for its time has been said. */
async function untilNothingIsSaid(runtime: Runtime): Promise<void> {
  for (let before = -1, now = await eventsOn(runtime); before !== now || !(await isCaughtUp(runtime)); ) {
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    [before, now] = [now, await eventsOn(runtime)];
  }
}

async function isCaughtUp(runtime: Runtime): Promise<boolean> {
  const stats = await runtime.statsNow();
  if (stats.some(({ status }) => status === 'failed')) throw new Error('a task failed');
  return (
    stats.length > 0 &&
    stats.every(({ position, endOffset, queuedRecords }) => position >= endOffset && queuedRecords === 0)
  );
}

/** Of the values that topologies put. */
async function stateDigests(runtime: Runtime): Promise<Digests> {
  const digests = new Map<string, string>();
  const { state } = runtime.parts;
  for (const task of await state.tasks()) {
    if (!names.includes(task.split('/')[0] ?? '')) continue;
    const digest = createHash('sha256');
    const opened = await state.open(task);
    for (let gte = 'k/'; ; ) {
      const page = await opened.range({ gte, lt: 'k0', limit: 1_000 });
      for (const [key, bytes] of page) digest.update(`${key} `).update(bytes);
      const last = page.at(-1);
      if (last === undefined || page.length < 1_000) break;
      gte = `${last[0]}\0`;
    }
    digests.set(task, digest.digest('hex'));
  }
  return digests;
}

async function writeFeedback(runtime: Runtime, count: number): Promise<void> {
  const partitions = runtime.partitions('predictions');
  for (let from = 0; from < count; from += 1_000) {
    await runtime.publish(
      Array.from({ length: Math.min(1_000, count - from) }, (_, index) => {
        const n = from + index;
        const id = predictionId(n % partitions, 'bench', n);
        const data = feedback(n, `f${n}`, { predictionId: id, truth: 0 });
        const place = { topic: 'predictions', type: 'feedback-received', key: id, partition: n % partitions } as const;
        return { ...place, id: `f${n}`, data };
      }),
    );
  }
}

async function eventsOn(runtime: Runtime): Promise<number> {
  let events = 0;
  for (const [topic, { events: said }] of Object.entries(topics)) {
    if (said.length === 0) continue;
    for (const end of await runtime.parts.log.endOffsets(runtime.topic(topic))) events += end;
  }
  return events;
}
