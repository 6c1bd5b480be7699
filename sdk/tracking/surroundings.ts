/** What a run came from and ran on: its source, the state of the repository, the machine, what the machine had to do. */
import { execFileSync } from 'node:child_process';
import { cpus, freemem, hostname, totalmem, userInfo } from 'node:os';

interface Surroundings {
  readonly tags: Readonly<Record<string, string>>;
  /** Changes that are not committed, as `git diff` says them; undefined: none, or no repository. */
  readonly patch: string | undefined;
}

const patchBytesMax = 16 * 1024 * 1024;

export function surroundings(directory = process.cwd()): Surroundings {
  const commit = git(directory, 'rev-parse', 'HEAD');
  const branch = git(directory, 'rev-parse', '--abbrev-ref', 'HEAD');
  const remote = git(directory, 'config', '--get', 'remote.origin.url');
  const patch = commit === undefined ? undefined : git(directory, 'diff', 'HEAD', '--binary');
  const [program] = process.argv.slice(1);
  const known: Record<string, string | undefined> = {
    'mlflow.user': userName(),
    'mlflow.source.name': program ?? process.argv0,
    'mlflow.source.type': 'LOCAL',
    'mlflow.source.git.commit': commit,
    'mlflow.source.git.branch': branch,
    'mlflow.source.git.repoURL': remote?.replace(/\/\/[^@/]*@/, '//'),
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

/** Never shows a name and password of an address. undefined when git says nothing, or there is none. */
function git(directory: string, ...command: readonly string[]): string | undefined {
  try {
    const said = execFileSync('git', command, {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: patchBytesMax,
      timeout: 10_000,
    });
    const text = command[0] === 'diff' ? said : said.trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
