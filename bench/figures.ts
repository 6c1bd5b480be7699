/** What a measuring script hands to `run.ts`. */
export interface Figure {
  /** As in `targets.ts`. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same measured on what it is compared with, in the same run. */
  readonly baseline?: number;
  /** `value` to `baseline`; above 1 is better. */
  readonly ratio?: number;
}

/** With `--json`, one line for the machine behind the human ones. */
export function sayFigures(figures: readonly Figure[]): void {
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
}

/** Positional arguments, flags left out. */
export const positionals: readonly string[] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

interface Cost {
  readonly seconds: number;
  /** User and system time of all threads of this process, microseconds. */
  readonly cpuUs: number;
}

/** Wall and CPU time of some work. On a busy machine only the CPU time says anything. */
export async function costOf(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuUs: user + system };
}

export function costLine(what: string, count: number, { seconds, cpuUs }: Cost): string {
  const perSecond = Math.round(count / seconds).toLocaleString('en');
  return `${what.padEnd(40)} ${perSecond.padStart(10)}/s  ${(cpuUs / count).toFixed(1)} µs CPU each`;
}
