/** Median of several cold runs of a flow of one step. Run: `npx tsx bench/flows/cold-run.ts [runs] [--json]`. */
import { positionals, sayFigures } from '../figures.ts';
import { coldRun, program } from './cold-command.ts';

const runs = Number(positionals[0] ?? 5);
const took: number[] = [];
for (let run = 0; run < runs; run++) took.push(await coldRun());
took.sort((a, b) => a - b);
const median = took[took.length >> 1] ?? Number.NaN;
console.log(`run of a flow of one step, whole command (${program})   ${median.toFixed(0)} ms`);
sayFigures([{ name: 'run of a one-step flow, cold, whole command', value: median, unit: 'ms' }]);
