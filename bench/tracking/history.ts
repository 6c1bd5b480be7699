/**
 * A metric with very many points, read page by page over HTTP: time of a page at the beginning and at the end, and by how much the memory of
 * the process grows, collected, from the first tenth to the last. Run: `npx tsx bench/tracking/history.ts [points] [--json]`, with `--expose-gc` for the memory.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openTracking } from '../../test/services/tracking/tracking-fixture.ts';
import { connect } from '../../sdk/client/index.ts';
import { positionals, sayFigures } from '../figures.ts';
import { idOf, writePoints, writeRuns } from './generate.ts';

const points = Number(positionals[0] ?? 1_000_000);
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const fixture = await openTracking();
await writeRuns(fixture.test.runtime, 1);
await writePoints(fixture.test.runtime, points);
const { tracking } = connect({ url: (await fixture.gateway.listen()).url, timeoutMs: 120_000 });
for (let ready = false; !ready; )
  ready = await tracking.run(idOf(0)).then(
    () => true,
    () => false,
  );

const mebibytes = (): number => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 ** 2;
};
let read = 0;
let last = -1;
let early = 0;
let late = 0;
const began = performance.now();
for await (const { step } of tracking.history(idOf(0), 'loss')) {
  if (step !== last + 1) throw new Error(`point ${step} follows ${last}`);
  last = step;
  read += 1;
  if (read === Math.ceil(points / 10)) early = mebibytes();
  if (read === Math.floor((9 * points) / 10)) late = mebibytes();
}
const seconds = (performance.now() - began) / 1_000;
if (read !== points) throw new Error(`${read} points of ${points}`);
console.log(
  `${points} points, ${Math.round(points / seconds).toLocaleString('en')}/s, from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`,
);
await fixture.close();
sayFigures([
  { name: 'metric history of 1,000,000 points, read', value: points / seconds, unit: 'points/s' },
  { name: 'metric history of 1,000,000 points, growth of memory', value: late - early, unit: 'MiB' },
]);
