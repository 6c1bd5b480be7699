/**
 * From the row that completes a window to the verdict on it: one prediction a record at a steady rate, every topology that watches in its
 * thread, windows of 1,000 rows judged by the scorer. Times are those of the log; the first window, whose verdict waits for a thread to
 * start, is not among them.
 * Run: `npx tsx bench/monitoring/delay.ts [windows] [rows a second] [--json]`.
 */
import { eventually } from '../../runtime/testing/index.ts';
import { startWatcherThread } from '../../services/all-in-one/watcher-thread/topologies-thread-handle.ts';
import { watchers } from '../../services/all-in-one/watchers.ts';
import { createScorer } from '../../services/scorer/scorer.ts';
import { median } from '../../statistics/samples/quantiles.ts';
import { topologies } from '../../topologies/index.ts';
import { positionals, sayFigures } from '../figures.ts';
import { windowRows } from './monitored-deployment.ts';
import { openMonitoredLog } from './monitored-log.ts';

const windows = Number(positionals[0] ?? 10);
const perSecond = Number(positionals[1] ?? 500);
const ticksPerSecond = 20;

const { runtime, configuration, write, close } = await openMonitoredLog();
const names = topologies.map(({ name }) => name).filter((name) => watchers.has(name));
const thread = await startWatcherThread(runtime, configuration, names);
const scorer = await createScorer({ runtime });
await runtime.runService(scorer.service);
await thread.ready();

/** Append times by partition and offset. */
const appended: number[][] = [];
const predictions = await runtime.follow('predictions', {
  onEvent: ({ partition, offset, timeMs }) => void ((appended[partition] ??= [])[offset] = timeMs),
});
const delays: number[] = [];
const verdicts = await runtime.follow('drift', {
  onEvent: ({ type, data, timeMs }) => {
    if (type === 'drift-not-assessed') throw new Error(`a window could not be judged: ${data.reason}`);
    if (type !== 'drift-assessed') return;
    const last = data.sources.map(({ partition, lastOffset }) => appended[partition]?.[lastOffset] ?? Number.NaN);
    delays.push(timeMs - Math.max(...last));
  },
});
await Promise.all([predictions.ready(), verdicts.ready()]);

// The first verdict waits for a thread to start, and the windows behind it would wait with it.
await write(windowRows, 0, 1);
await eventually('the first verdict', () => delays.length > 0, 120_000);
// Somewhat more than the windows need, so that the last one is not completed by rows that wait for their second.
const rows = (windows + 1) * windowRows + perSecond;
const began = performance.now();
for (let written = windowRows; written < rows; ) {
  const due = Math.min(rows, windowRows + Math.ceil(((performance.now() - began) / 1_000) * perSecond));
  if (due > written) await write(due - written, written, 1);
  written = Math.max(written, due);
  await new Promise((resolve) => setTimeout(resolve, 1_000 / ticksPerSecond));
}
await eventually('every verdict', () => delays.length > windows, 120_000);
delays.shift();
const [middle, most] = [median(delays), Math.max(...delays)];
console.log(
  `verdict after the row that completed its window   median ${middle} ms, most ${most} ms of ${delays.length}`,
);
sayFigures([
  { name: 'verdict after the row that completed its window, median', value: middle, unit: 'ms' },
  { name: 'verdict after the row that completed its window, most', value: most, unit: 'ms' },
]);
await verdicts.close();
await predictions.close();
await thread.close();
await scorer.close();
await close();
