/**
 * Rows of predictions to verdicts of drift, as the local profile does it: sampled, batched and gathered to windows of 1,000 by topologies in
 * the thread of the watchers, judged by KS, chi-squared and PSI over ten features in the scorer's worker. 100 rows a prediction, which
 * lie on the log before. With `--all` every topology that watches runs, and the memory of the process is looked at instead of the rate.
 * Run: `npx tsx bench/monitoring/pipeline.ts [rows] [--all] [--json]`.
 */
import { readFileSync } from 'node:fs';
import { eventually } from '../../runtime/testing/index.ts';
import { startWatcherThread } from '../../services/all-in-one/watcher-thread/topologies-thread-handle.ts';
import { watchers } from '../../services/all-in-one/watchers.ts';
import { createScorer } from '../../services/scorer/scorer.ts';
import { topologies } from '../../topologies/index.ts';
import { costLine, costOf, type Figure, positionals, sayFigures } from '../figures.ts';
import { windowRows } from './monitored-deployment.ts';
import { batchRows, openMonitoredLog } from './monitored-log.ts';

const rows = Number(positionals[0] ?? 1_000_000);
const all = process.argv.includes('--all');
/** Written ahead of the watchers at once. */
const aheadRows = 1_000_000;
const needed: readonly string[] = ['prediction-sampling', 'observation-windows'];
const names = topologies.map(({ name }) => name).filter((name) => (all ? watchers.has(name) : needed.includes(name)));

const { runtime, configuration, write, close } = await openMonitoredLog();
let verdicts = 0;
const follower = await runtime.follow('drift', {
  onEvent: ({ type, data }) => {
    if (type === 'drift-not-assessed') throw new Error(`a window could not be judged: ${data.reason}`);
    if (type === 'drift-assessed') verdicts += 1;
  },
});
await write(Math.min(rows, aheadRows));
const memory: { readonly rows: number; readonly mebibytes: number }[] = [];
const scorer = await createScorer({ runtime });
const cost = await costOf(async () => {
  const thread = await startWatcherThread(runtime, configuration, names);
  await runtime.runService(scorer.service);
  for (let written = Math.min(rows, aheadRows); ; ) {
    const judged = verdicts * windowRows;
    memory.push({ rows: judged, mebibytes: anonymousMebibytes() });
    if (judged >= rows) break;
    if (written < rows && written - judged < aheadRows / 2) {
      const more = Math.min(rows - written, aheadRows / 2);
      await write(more, written / batchRows);
      written += more;
    }
    await eventually('the next verdicts', () => verdicts * windowRows > judged, 120_000);
  }
  await thread.close();
});
const figures: Figure[] = [];
if (all) {
  // The middle of what was seen in the second tenth, when everything is warm, and in the last.
  const [early, late] = [between(0.1, 0.2), between(0.9, 1)];
  console.log(`memory of the process: ${early.toFixed(0)} MiB after a tenth, ${late.toFixed(0)} MiB in the end`);
  const name = `memory over ${rows.toLocaleString('en')} rows, growth from a tenth on`;
  figures.push({ name, value: late - early, unit: 'MiB', baseline: early });
} else {
  console.log(costLine('rows to verdicts of drift', rows, cost));
  figures.push(
    { name: 'rows to verdicts of KS and chi-squared', value: rows / cost.seconds, unit: 'rows/s' },
    { name: 'rows to verdicts of KS and chi-squared, CPU', value: cost.cpuUs / rows, unit: 'µs/row' },
  );
}
sayFigures(figures);
await follower.close();
await scorer.close();
await close();

function between(from: number, to: number): number {
  const seen = memory.filter((one) => one.rows >= from * rows && one.rows <= to * rows).map((one) => one.mebibytes);
  return seen.sort((a, b) => a - b)[seen.length >> 1] ?? Number.NaN;
}

/** Of all its threads; pages of files, which the system takes back when it likes, are not among it. */
function anonymousMebibytes(): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}
