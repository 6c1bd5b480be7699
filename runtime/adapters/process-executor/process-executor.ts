/**
 * TaskExecutor in pooled, pre-warmed child processes of this machine. A step cannot hurt the platform: an exit, a crash, an endless
 * loop, too much memory or a flood of output are outcomes. A child keeps the bundles that it has loaded, so a warm step costs two
 * messages and its artifacts.
 */
import { join } from 'node:path';
import type { BlobStore } from '../../ports/blob-store.ts';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import type { TaskExecutor, TaskHandle, TaskListener, TaskOutcome, TaskWork } from '../../ports/task-executor.ts';
import { PythonEnvironments } from '../python-environment/python-environments.ts';
import { StepFiles } from './step-files.ts';
import { ProcessPool } from './process-pool.ts';
import { StepRun } from './step-run.ts';

export interface ProcessExecutorOptions {
  readonly blobs: BlobStore;
  /** For bundles and big artifacts; under a project's folder, so that its packages are found. Emptied on close. */
  readonly cacheDirectory: string;
  /** Steps that run at once. @default 4 */
  readonly slots?: number | undefined;
  /** Limit of a step's memory, MiB. @default 2048 */
  readonly memoryMb?: number | undefined;
  /** Log kept of a step, bytes. @default 1048576 */
  readonly logBytesMax?: number | undefined;
  /** Where Python environments are built and kept. @default `environments` beside `cacheDirectory` */
  readonly environmentsDirectory?: string | undefined;
  /** Environment of steps. @default that of this process without NODE_OPTIONS and MILLRACE_* */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Opens the folder and starts the first child. */
export async function createProcessExecutor(options: ProcessExecutorOptions): Promise<TaskExecutor> {
  const { slots = 4, memoryMb = 2_048, logBytesMax = 1_048_576, environment = stepEnvironment() } = options;
  const files = await StepFiles.open(options.cacheDirectory, options.blobs);
  const pool = new ProcessPool({ slots, process: { memoryMb, environment } });
  const directory = options.environmentsDirectory ?? join(options.cacheDirectory, '..', 'environments');
  const environments = new PythonEnvironments({ directory, environment });
  return new ProcessExecutor({ files, pool, environments }, { slots, memoryMb, logBytesMax });
}

export interface ExecutorParts {
  readonly files: StepFiles;
  readonly pool: ProcessPool;
  readonly environments: PythonEnvironments;
}

export interface ExecutorSettings {
  readonly slots: number;
  readonly memoryMb: number;
  readonly logBytesMax: number;
}

class ProcessExecutor implements TaskExecutor {
  readonly #parts: ExecutorParts;
  readonly #settings: ExecutorSettings;
  readonly #runs = new Set<StepRun>();
  #closing: Promise<void> | undefined;

  constructor(parts: ExecutorParts, settings: ExecutorSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  get slots(): number {
    return this.#settings.slots;
  }

  start(work: TaskWork, listener?: TaskListener): TaskHandle {
    if (this.#closing !== undefined) {
      throw new MillraceError('CLOSED', `step '${work.step}' of run ${work.runId} was given to a closed executor`);
    }
    const run = new StepRun(work, this.#parts, this.#settings, listener);
    this.#runs.add(run);
    const outcome = run.outcome.catch((error: unknown): TaskOutcome => {
      const stack = error instanceof Error ? (error.stack ?? '') : '';
      return { type: 'failed', kind: 'platform', message: messageOf(error), stack, logs: undefined };
    });
    void outcome.then(() => this.#runs.delete(run));
    return { outcome, cancel: (reason) => run.cancel(reason) };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const runs = [...this.#runs];
      for (const run of runs) run.cancel('the executor is closing');
      await Promise.allSettled(runs.map(({ outcome }) => outcome));
      await this.#parts.pool.close();
      await this.#parts.files.close();
    })();
    return this.#closing;
  }
}

/** Steps see the environment but not the platform's own settings, which hold its secrets. */
export function stepEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith('MILLRACE_') && name !== 'NODE_OPTIONS' && name !== 'NODE_CHANNEL_FD')
      environment[name] = value;
  }
  return environment;
}
