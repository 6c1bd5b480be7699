/**
 * What watching costs those who ask: predictions of one row over HTTP at a steady rate, whatever the answers take (an open loop), to the whole
 * platform with every consumer on, and to the gateway and model server with none, which publish every prediction all the same; in turns,
 * medians of the pairs. Run: `npx tsx bench/monitoring/overhead.ts [requests a second] [seconds] [pairs] [--json]`.
 */
import { median, quantileOfSorted } from '../../statistics/samples/quantiles.ts';
import { positionals, sayFigures } from '../figures.ts';
import { openLoop } from '../serving/infer-load.ts';
import { startServer } from '../serving/server-process.ts';

const perSecond = Number(positionals[0] ?? 200);
const seconds = Number(positionals[1] ?? 10);
const pairs = Number(positionals[2] ?? 5);
const restMs = 2_000;

const kinds = ['gateway', 'platform'] as const;
const servers = { gateway: await startServer('gateway'), platform: await startServer('platform') };
const measured = { gateway: [] as Latency[], platform: [] as Latency[] };
interface Latency {
  readonly p50: number;
  readonly p99: number;
}

for (const kind of kinds) await measure(kind, 3);
for (let pair = 0; pair < pairs; pair++) {
  // Each goes first as often as the other.
  for (const kind of pair % 2 === 0 ? kinds : [...kinds].reverse()) measured[kind].push(await measure(kind, seconds));
}
const of = (kind: (typeof kinds)[number], what: keyof Latency): number =>
  median(measured[kind].map((one) => one[what]));
for (const kind of kinds) {
  const name = kind === 'platform' ? 'all consumers' : 'none';
  console.log(
    `${name.padEnd(14)} p50 ${of(kind, 'p50').toFixed(2)} ms  p99 ${of(kind, 'p99').toFixed(2)} ms, ${perSecond}/s, median of ${pairs}`,
  );
}
const [p50, none50] = [of('platform', 'p50'), of('gateway', 'p50')];
const [p99, none99] = [of('platform', 'p99'), of('gateway', 'p99')];
const more = {
  name: 'prediction with all consumers, p50 more than with none',
  value: 100 * (p50 / none50 - 1),
  unit: '%',
};
sayFigures([
  { name: 'prediction with all consumers, p50', value: p50, unit: 'ms', baseline: none50, ratio: none50 / p50 },
  { name: 'prediction with all consumers, p99', value: p99, unit: 'ms', baseline: none99, ratio: none99 / p99 },
  more,
  { name: 'prediction with all consumers, p99 more than with none', value: p99 - none99, unit: 'ms' },
]);
for (const kind of kinds) await servers[kind].close();

async function measure(kind: (typeof kinds)[number], length: number): Promise<Latency> {
  const times = await openLoop({ url: `${servers[kind].url}/v2/models/iris/infer`, perSecond, seconds: length });
  // What watches is to be done with it before the other is measured.
  await new Promise((resolve) => setTimeout(resolve, restMs));
  return { p50: quantileOfSorted(times, 0.5), p99: quantileOfSorted(times, 0.99) };
}
