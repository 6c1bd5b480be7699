/** `inferOpen` without HTTP: what the gateway's answers cost beyond their transport. `npx tsx bench/serving/in-process.ts [concurrent]` */
import { openServingBench } from './serving-bench.ts';

const concurrent = Number(process.argv[2] ?? 16);
const bench = await openServingBench();
const body = () => ({ inputs: [{ name: bench.input, datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] }] });

async function runFor(ms: number): Promise<number> {
  const cpu = process.cpuUsage();
  let answered = 0;
  for (const end = Date.now() + ms; Date.now() < end; answered += concurrent) {
    const answers = await Promise.all(
      Array.from({ length: concurrent }, () => bench.server.inferOpen({ deployment: 'iris', body: body() })),
    );
    for (const answer of answers) if (answer.type === 'failed') throw new Error(answer.message);
  }
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / answered;
}

await runFor(1_500);
console.log(`${concurrent} at once: ${(await runFor(4_000)).toFixed(1)} us CPU each`);
await bench.close();
