/**
 * A graph of four nodes (three models and their average) beside one model, over HTTP with one connection: what nodes add to the latency of a
 * request. `npx tsx bench/serving/graph.ts [seconds] [--json]`
 */
import { positionals, sayFigures } from '../figures.ts';
import { loadHttp } from './infer-load.ts';
import { startServer } from './server-process.ts';

const seconds = Number(positionals[0] ?? 5);
const server = await startServer('gateway');
const measure = async (model: string, length: number) =>
  await loadHttp({ url: `${server.url}/v2/models/${model}/infer`, connections: 1, seconds: length });
await measure('iris', 1);
await measure('graph', 1);
const meanMs = async (model: string): Promise<number> => 1_000 / (await measure(model, seconds / 2)).perSecond;
// In turns, so that a busy moment of the machine hits both.
const [one, graph] = [[await meanMs('iris')], [await meanMs('graph')]];
one.push(await meanMs('iris'));
graph.push(await meanMs('graph'));
await server.close();
const mean = (times: readonly number[]): number => times.reduce((sum, time) => sum + time, 0) / times.length;
const [oneMs, graphMs] = [mean(one), mean(graph)];
console.log(
  `one model ${oneMs.toFixed(3)} ms, four nodes ${graphMs.toFixed(3)} ms: ${(graphMs / oneMs).toFixed(2)} times`,
);
sayFigures([{ name: 'graph of 4 nodes, latency of one model', value: graphMs / oneMs, unit: 'times' }]);
