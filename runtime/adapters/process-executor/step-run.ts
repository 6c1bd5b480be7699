import type { DeferredRequest, TaskOutcome, TaskWork } from '../../ports/task-executor.ts';
import type { ExecutorSettings } from './process-executor.ts';
import type { ProcessPool } from './process-pool.ts';
import type { FromChild } from './protocol.ts';
import type { StepFiles } from './step-files.ts';
import { StepLog } from './step-log.ts';
import type { Ended, StepProcess } from './step-process.ts';

type Completed = Extract<FromChild, { type: 'completed' }>;
type Failed = Extract<FromChild, { type: 'failed' }>;
type FailureKind = Extract<TaskOutcome, { type: 'failed' }>['kind'];

/** Between the request to stop and the kill, so that a step may tidy up. */
const abortGraceMs = 200;
const logDeadlineMs = 1_000;
let numbers = 0;

/** One attempt in one child, from its start to its outcome. */
export class StepRun {
  readonly outcome: Promise<TaskOutcome>;
  readonly #work: TaskWork;
  readonly #files: StepFiles;
  readonly #pool: ProcessPool;
  readonly #settings: ExecutorSettings;
  readonly #log: StepLog;
  readonly #number = ++numbers;
  #child: StepProcess | undefined;
  #stopped: { readonly kind: FailureKind; readonly reason: string } | undefined;
  #decided = false;

  constructor(work: TaskWork, files: StepFiles, pool: ProcessPool, settings: ExecutorSettings) {
    this.#work = work;
    this.#files = files;
    this.#pool = pool;
    this.#settings = settings;
    this.#log = new StepLog(settings.logBytesMax);
    this.outcome = this.#run();
  }

  cancel(reason: string): void {
    this.#stop('cancelled', reason, abortGraceMs);
  }

  async #run(): Promise<TaskOutcome> {
    const { bundleHash, inputs } = this.#work;
    const [bundlePath, encoded] = await Promise.all([
      this.#files.bundle(bundleHash),
      Promise.all(
        inputs.map(async ({ branch, artifacts }) => ({
          branch,
          artifacts: await Promise.all(artifacts.map((artifact) => this.#files.input(artifact))),
        })),
      ),
    ]);
    const child = await this.#pool.acquire(bundlePath);
    this.#child = child;
    const timeout = setTimeout(
      () => this.#stop('timeout', `the step ran longer than ${this.#work.timeoutMs} ms`, 0),
      Math.min(this.#work.timeoutMs, 2 ** 31 - 1),
    );
    let said: Completed | Failed | Ended | undefined;
    try {
      if (this.#stopped === undefined) {
        const { step, parameters, runId, taskId, attempt, idempotencyKey } = this.#work;
        const { outDirectory } = this.#files;
        const work = { step, parameters, runId, taskId, attempt, idempotencyKey, outDirectory, bundlePath };
        const answer = this.#listen(child);
        child.send({ type: 'run', number: this.#number, inputs: encoded, ...work });
        said = await Promise.race([answer, child.ended]);
        if ('type' in said && said.logged) await this.#log.ended(logDeadlineMs);
      }
      this.#decided = true;
    } finally {
      clearTimeout(timeout);
      this.#pool.release(
        child,
        said !== undefined && 'type' in said && !('spoiled' in said && said.spoiled) && this.#stopped === undefined,
      );
    }
    return await this.#conclude(said);
  }

  #listen(child: StepProcess): Promise<Completed | Failed> {
    return new Promise((resolve) => {
      child.listener = {
        message: (message) => {
          if ((message.type === 'completed' || message.type === 'failed') && message.number === this.#number)
            resolve(message);
        },
        output: (stream, chunk) => (stream === 'out' ? this.#log.push(chunk) : this.#log.pushError(chunk)),
      };
    });
  }

  #stop(kind: FailureKind, reason: string, graceMs: number): void {
    if (this.#decided || this.#stopped !== undefined) return;
    this.#stopped = { kind, reason };
    const child = this.#child;
    if (child === undefined) return;
    child.send({ type: 'abort', number: this.#number });
    if (graceMs === 0) child.kill();
    else setTimeout(() => child.kill(), graceMs).unref();
  }

  async #conclude(said: Completed | Failed | Ended | undefined): Promise<TaskOutcome> {
    const text = this.#log.text();
    const logs =
      text === undefined
        ? undefined
        : await this.#files.store({ name: 'log', codec: 'text', bytes: Buffer.from(text) });
    const failed = (kind: FailureKind, message: string, stack = ''): TaskOutcome => ({
      type: 'failed',
      kind,
      message,
      stack,
      logs,
    });
    if (this.#stopped !== undefined) return failed(this.#stopped.kind, this.#stopped.reason);
    if (said === undefined) return failed('platform', 'the step was not begun');
    if (!('type' in said)) {
      const { kind, message } = this.#death(said);
      return failed(kind, message);
    }
    if (said.type === 'failed') return failed('user', said.message, said.stack);
    const [artifacts, requests] = await Promise.all([
      Promise.all(said.artifacts.map((artifact) => this.#files.store(artifact))),
      Promise.all(said.models.map((model) => this.#registration(model))),
    ]);
    return { type: 'completed', artifacts, requests, userMs: said.userMs, logs };
  }

  async #registration({ artifact, ...model }: Completed['models'][number]): Promise<DeferredRequest> {
    const stored = await this.#files.store(artifact);
    return { kind: 'register-model', body: JSON.stringify({ ...model, artifact: { ...stored, name: model.model } }) };
  }

  /** Why a child ended in the middle of a step. */
  #death({ code, signal }: Ended): { readonly kind: FailureKind; readonly message: string } {
    const { memoryMb } = this.#settings;
    if (this.#log.mentions('heap out of memory') || this.#log.mentions('out of memory: more than')) {
      return { kind: 'killed', message: `the step ran out of memory: its limit is ${memoryMb} MiB` };
    }
    if (signal !== null) return { kind: 'killed', message: `the step's process was ended by ${signal}` };
    if (code === null) return { kind: 'platform', message: 'the process for the step could not be started' };
    if (code >= 128) return { kind: 'killed', message: `the step's process crashed with code ${code}` };
    return { kind: 'user', message: `the step ended its process with exit code ${code}: return instead` };
  }
}
