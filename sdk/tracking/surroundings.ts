/** What a run came from and ran on: its source, the state of the repository, the machine, what the machine had to do. */
import { cpus, freemem, hostname, totalmem, userInfo } from 'node:os';
import { patchOf, repositoryOf } from './repository.ts';

interface Surroundings {
  readonly tags: Readonly<Record<string, string>>;
  /** Changes that are not committed, as `git diff` says them; undefined: none, or no repository. */
  readonly patch: string | undefined;
}

export function surroundings(directory = process.cwd()): Surroundings {
  const repository = repositoryOf(directory);
  const patch = repository?.dirty === true ? patchOf(directory) : undefined;
  const [program] = process.argv.slice(1);
  const known: Record<string, string | undefined> = {
    'mlflow.user': userName(),
    'mlflow.source.name': program ?? process.argv0,
    'mlflow.source.type': 'LOCAL',
    'mlflow.source.git.commit': repository?.commit,
    'mlflow.source.git.branch': repository?.branch,
    'mlflow.source.git.repoURL': repository?.address,
    'millrace.source.dirty': patch === undefined ? undefined : 'true',
    'millrace.host': hostname(),
    'millrace.platform': `${process.platform} ${process.arch}, Node ${process.version}`,
    'millrace.cpus': String(cpus().length),
    'millrace.memory_mb': String(Math.round(totalmem() / 1024 ** 2)),
  };
  const tags = Object.entries(known).filter((pair): pair is [string, string] => (pair[1] ?? '') !== '');
  return { tags: Object.fromEntries(tags), patch };
}

/** Samples since the last one, by MLflow's names of system metrics. */
export class SystemSampler {
  #cpu = process.cpuUsage();
  #at = performance.now();

  sample(): Readonly<Record<string, number>> {
    const used = process.cpuUsage(this.#cpu);
    const now = performance.now();
    const wallUs = (now - this.#at) * 1_000;
    [this.#cpu, this.#at] = [process.cpuUsage(), now];
    const memory = totalmem() - freemem();
    return {
      'system/cpu_utilization_percentage': wallUs === 0 ? 0 : (100 * (used.user + used.system)) / wallUs,
      'system/system_memory_usage_megabytes': memory / 1024 ** 2,
      'system/system_memory_usage_percentage': (100 * memory) / totalmem(),
      'system/process_memory_usage_megabytes': process.memoryUsage.rss() / 1024 ** 2,
    };
  }
}

function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
