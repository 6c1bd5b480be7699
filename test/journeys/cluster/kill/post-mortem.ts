import type { Instance } from './instance-of.ts';

const patienceMs = 5_000;

/** Prints what instances said last, whether they are of use, and their tasks that are behind, closed to work or full. */
export async function postMortem(instances: readonly Instance[]): Promise<void> {
  for (const [slot, instance] of instances.entries()) {
    console.log(`instance ${slot}, process ${instance.pid}:\n${instance.output}`);
    const url = await Promise.race([instance.up.catch(() => undefined), late()]);
    if (url === undefined) continue;
    const series = (await ask(`${url}/metrics`)).split('\n');
    const states = series.filter((line) =>
      /^millrace_task_(lag|queue|taken)_records\{.* [1-9]|^millrace_task_up\{.* 0$/.test(line),
    );
    const tasks = series.filter((line) => line.startsWith('millrace_task_up{')).map((line) => /"(.*)"/.exec(line)?.[1]);
    console.log(`${await ask(`${url}/readyz`)}\n${states.join('\n')}\nits tasks: ${tasks.join(' ')}`);
  }
}

async function ask(url: string): Promise<string> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(patienceMs) })).text();
  } catch (error) {
    return String(error);
  }
}

function late(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), patienceMs));
}
