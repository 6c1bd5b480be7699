/**
 * `explain` of a prediction, its deployment, the version of its model and the model's file, with very many events on the log, which are
 * written once and kept (see `many-predictions.ts`); every link is read back and verified.
 * Run: `npx tsx bench/monitoring/explain.ts [events] [--json]`.
 */
import { join } from 'node:path';
import { queryStores } from '../../runtime/profiles/open-query-store.ts';
import { startProvenance } from '../../services/provenance/index.ts';
import { quantileOfSorted } from '../../statistics/samples/quantiles.ts';
import { seededRandom } from '../../statistics/random.ts';
import { costLine, costOf, positionals, sayFigures } from '../figures.ts';
import { idOf, openManyPredictions } from './many-predictions.ts';

const events = Number(positionals[0] ?? 10_000_000);
const asked = 200;
const random = seededRandom('bench explain');
// What is waited for may have unreferenced timers alone.
const alive = setInterval(() => undefined, 1_000);
const { configuration, runtime, close } = await openManyPredictions(events);
const provenance = await startProvenance(
  runtime,
  queryStores(configuration, 'query'),
  join(configuration.directory, 'query'),
);
const filled = await costOf(() => provenance.projection.ready());
console.log(costLine('tables filled, or found so', events, filled));
const partitions = runtime.partitions('predictions');
const ids = [
  ...Array.from({ length: asked }, () => idOf(random.integer(events), partitions)),
  'iris/1',
  'models:/iris/1',
];
const times: number[] = [];
for (const id of ids) {
  const began = performance.now();
  const { verified, causes } = await provenance.queries.explain(id);
  times.push(performance.now() - began);
  if (!verified || causes.length === 0)
    throw new Error(`${id} has a link that is not verified: ${JSON.stringify(causes)}`);
}
times.sort((a, b) => a - b);
const [p50, p99] = [quantileOfSorted(times, 0.5), quantileOfSorted(times, 0.99)];
console.log(`explain of ${ids.length} ids with ${events} events   p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
sayFigures([
  { name: `explain with ${events.toLocaleString('en')} events, p50`, value: p50, unit: 'ms' },
  { name: `explain with ${events.toLocaleString('en')} events, p99`, value: p99, unit: 'ms' },
]);
await provenance.close();
await close();
clearInterval(alive);
