import { hasCode, messageOf } from '../../ports/errors.ts';
import type { PythonRequest } from '../../ports/flow-code.ts';
import type { DeferredRequest, TaskOutcome, TaskWork } from '../../ports/task-executor.ts';
import type { PythonEnvironment, PythonEnvironments } from '../python-environment/python-environments.ts';
import type { ExecutorParts, ExecutorSettings } from './process-executor.ts';
import type { ProcessPool } from './process-pool.ts';
import { bundleFolder, type EncodedArtifact, type FromChild } from './protocol.ts';
import { StepClock } from './step-clock.ts';
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
  readonly #environments: PythonEnvironments;
  readonly #settings: ExecutorSettings;
  readonly #log: StepLog;
  readonly #number = ++numbers;
  #child: StepProcess | undefined;
  #stopped: { readonly kind: FailureKind; readonly reason: string } | undefined;
  #decided = false;
  /** The step is a program: its folder is to be removed. */
  #program = false;
  #environment: PythonEnvironment | undefined;
  readonly #cancelled = new AbortController();

  constructor(work: TaskWork, { files, pool, environments }: ExecutorParts, settings: ExecutorSettings) {
    this.#work = work;
    this.#files = files;
    this.#pool = pool;
    this.#environments = environments;
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
    const clock = new StepClock(this.#work.timeoutMs, () =>
      this.#stop('timeout', `the step ran longer than ${this.#work.timeoutMs} ms`, 0),
    );
    let said: Completed | Failed | Ended | undefined;
    try {
      if (this.#stopped === undefined) {
        const { flow, step, parameters, runId, taskId, attempt, idempotencyKey } = this.#work;
        const { outDirectory } = this.#files;
        const attemptDirectory = this.#files.attemptDirectory(this.#number);
        const work = {
          ...{ flow, step, parameters, runId, taskId, attempt, idempotencyKey },
          ...{ outDirectory, attemptDirectory, bundlePath },
        };
        const answer = this.#listen(child, bundlePath, clock);
        child.send({ type: 'run', number: this.#number, inputs: encoded, ...work });
        said = await Promise.race([answer, child.ended]);
        if ('type' in said && said.logged) await this.#log.ended(logDeadlineMs);
      }
      this.#decided = true;
    } finally {
      clock.stop();
      this.#pool.release(child, said !== undefined && 'type' in said && !said.spoiled && this.#stopped === undefined);
    }
    try {
      return await this.#conclude(said);
    } finally {
      if (this.#program) await this.#files.removeAttempt(this.#number);
    }
  }

  #listen(child: StepProcess, bundlePath: string, clock: StepClock): Promise<Completed | Failed> {
    return new Promise((resolve) => {
      child.listener = {
        message: (message) => {
          if (message.type === 'program' && message.number === this.#number) {
            this.#program = true;
            if (message.python !== undefined) void this.#prepare(child, message.python, bundlePath, clock);
          } else if ((message.type === 'completed' || message.type === 'failed') && message.number === this.#number)
            resolve(message);
        },
        output: (stream, chunk) => (stream === 'out' ? this.#log.push(chunk) : this.#log.pushError(chunk)),
      };
    });
  }

  /** Builds or finds the Python environment; the step's own time stands still meanwhile. */
  async #prepare(child: StepProcess, request: PythonRequest, bundlePath: string, clock: StepClock): Promise<void> {
    clock.pause();
    try {
      this.#environment = await this.#environments.prepare(request, {
        files: bundleFolder(bundlePath),
        signal: this.#cancelled.signal,
        log: (line) => this.#log.pushError(`${line}\n`),
      });
      if (this.#stopped !== undefined) return;
      clock.resume();
      child.send({ type: 'environment', number: this.#number, variables: this.#environment.variables });
    } catch (error) {
      const kind = hasCode(error, 'USER_CODE_FAILED', 'INVALID_ARGUMENT', 'UNSUPPORTED') ? 'user' : 'platform';
      this.#stop(kind, messageOf(error), 0);
    }
  }

  #stop(kind: FailureKind, reason: string, graceMs: number): void {
    if (this.#decided || this.#stopped !== undefined) return;
    this.#stopped = { kind, reason };
    this.#cancelled.abort();
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
    if (said.type === 'failed') return failed(said.kind, said.message, said.stack);
    const [artifacts, requests] = await Promise.all([
      Promise.all([...said.artifacts, ...this.#lock()].map((artifact) => this.#files.store(artifact))),
      Promise.all(said.models.map((model) => this.#registration(model))),
    ]);
    return { type: 'completed', artifacts, requests, userMs: said.userMs, logs };
  }

  /** What exactly was installed, so that it can be looked up and built again. */
  #lock(): readonly EncodedArtifact[] {
    const { lock } = this.#environment ?? {};
    return lock === undefined ? [] : [{ name: 'environment_lock', codec: 'text', bytes: Buffer.from(lock) }];
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
