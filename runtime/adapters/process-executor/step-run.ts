import { hasCode, messageOf } from '../../ports/errors.ts';
import type { PythonRequest } from '../../ports/flow-code.ts';
import type { ArtifactRef, DeferredRequest, TaskListener, TaskOutcome, TaskWork } from '../../ports/task-executor.ts';
import { attachedTag } from '../../../schemas/codec/attached-tag.ts';
import type { PythonEnvironment, PythonEnvironments } from '../python-environment/python-environments.ts';
import type { ExecutorParts, ExecutorSettings } from './process-executor.ts';
import { fileParameters } from './file-parameters.ts';
import type { ProcessPool } from './process-pool.ts';
import { bundleFolder, type EncodedArtifact, type FromChild, type RunStep } from './protocol.ts';
import { finite, runMetrics, withoutLoss } from './run-metrics.ts';
import { StepClock } from './step-clock.ts';
import { type Lease, type StepFiles, storedInlineMax } from './step-files.ts';
import { StepLog } from './step-log.ts';
import type { Ended, StepProcess } from './step-process.ts';
import { hiddenValues, masker, maxSplitsOf, readSecrets, settingsOf, type WorkSettings } from './task-settings.ts';
import { type StepInputs, stepInputs } from './step-inputs.ts';

type Completed = Extract<FromChild, { type: 'completed' }>;
type Failed = Extract<FromChild, { type: 'failed' }>;
type Said = Completed | Failed | Ended | undefined;
type Failure = Pick<Failed, 'type' | 'message' | 'stack' | 'trace' | 'final'> & { readonly kind: FailureKind };
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
  readonly #listener: TaskListener | undefined;
  readonly #cards = new Map<string, Uint8Array>();
  #checkpoints: Promise<void> = Promise.resolve();
  #child: StepProcess | undefined;
  #stopped: { readonly kind: FailureKind; readonly reason: string } | undefined;
  #decided = false;
  /** The step is a program: its folder is to be removed. */
  #program = false;
  #environment: PythonEnvironment | undefined;
  readonly #cancelled = new AbortController();
  #mask: (text: string) => string = (text) => text;
  #memoryMb = 0;

  constructor(
    work: TaskWork,
    { files, pool, environments }: ExecutorParts,
    settings: ExecutorSettings,
    listener?: TaskListener,
  ) {
    this.#work = work;
    this.#files = files;
    this.#pool = pool;
    this.#environments = environments;
    this.#settings = settings;
    this.#listener = listener;
    this.#log = new StepLog(settings.logBytesMax, (line) => listener?.line(line));
    this.outcome = this.#run();
  }

  cancel(reason: string): void {
    this.#stop('cancelled', reason, abortGraceMs);
  }

  async #run(): Promise<TaskOutcome> {
    const lease: Lease = new Set();
    try {
      const settings = settingsOf(this.#work.settings);
      const secrets = readSecrets(settings.secrets);
      this.#mask = masker(hiddenValues(settings.environment, secrets));
      this.#log.maskWith(this.#mask);
      const [bundlePath, inputs] = await Promise.all([
        this.#files.bundle(this.#work.bundleHash),
        stepInputs(this.#work, this.#files, lease),
      ]);
      const environment = { ...settings.environment, ...secrets };
      const { parameters } = this.#work;
      const given = await fileParameters(settings.files, parameters, bundlePath, this.#files, lease);
      return await this.#inChild(bundlePath, { ...inputs, files: given }, settings, environment);
    } finally {
      this.#files.release(lease);
    }
  }

  async #inChild(
    bundlePath: string,
    inputs: StepInputs & Pick<RunStep, 'files'>,
    settings: WorkSettings,
    environment: Readonly<Record<string, string>>,
  ): Promise<TaskOutcome> {
    this.#memoryMb = settings.resources?.memoryMb ?? this.#settings.memoryMb;
    const child = await this.#pool.acquire(bundlePath, settings.resources?.memoryMb);
    this.#child = child;
    const clock = new StepClock(this.#work.timeoutMs, () =>
      this.#stop('timeout', `the step ran longer than ${this.#work.timeoutMs} ms`, 0),
    );
    let said: Said;
    try {
      if (this.#stopped === undefined) {
        const answer = this.#listen(child, bundlePath, clock);
        child.send(this.#message(bundlePath, inputs, settings, environment));
        said = await answer;
        if ('type' in said && said.logged) await this.#log.ended(logDeadlineMs);
      }
      this.#decided = true;
    } finally {
      clock.stop();
      const usable = said !== undefined && 'type' in said && !said.spoiled && this.#stopped === undefined;
      this.#pool.release(child, usable && settings.resources?.memoryMb === undefined);
    }
    try {
      return await this.#conclude(said);
    } finally {
      if (this.#program) await this.#files.removeAttempt(this.#number);
    }
  }

  #message(
    bundlePath: string,
    inputs: StepInputs & Pick<RunStep, 'files'>,
    settings: WorkSettings,
    environment: Readonly<Record<string, string>>,
  ): RunStep {
    const {
      flow,
      step,
      kind = 'step',
      parameters,
      configuration = '{}',
      runId,
      taskId,
      attempt,
      idempotencyKey,
    } = this.#work;
    const { outDirectory, artifactDirectory } = this.#files;
    const attemptDirectory = this.#files.attemptDirectory(this.#number);
    const { gang, address = '' } = this.#work;
    return {
      type: 'run',
      number: this.#number,
      bundlePath,
      attemptDirectory,
      flow,
      kind,
      step,
      ...inputs,
      artifactDirectory,
      gang: gang === undefined || gang === null ? undefined : { rank: gang.rank, size: gang.size, address },
      end: settings.end,
      maxSplits: maxSplitsOf(settings),
      digests: settings.digests === true,
      environment,
      parameters,
      configuration,
      runId,
      taskId,
      attempt,
      idempotencyKey,
      outDirectory,
    };
  }

  #listen(child: StepProcess, bundlePath: string, clock: StepClock): Promise<Completed | Failed | Ended> {
    return new Promise((resolve) => {
      child.listen({
        message: (message) => {
          if (message.type === 'checkpoint' && message.number === this.#number)
            this.#checkpoint(child, message.id, message.artifact);
          else if (message.type === 'card' && message.number === this.#number)
            this.#card(message.name, message.document);
          else if (message.type === 'program' && message.number === this.#number) {
            this.#program = true;
            if (message.python !== undefined) void this.#prepare(child, message.python, bundlePath, clock);
          } else if ((message.type === 'completed' || message.type === 'failed') && message.number === this.#number)
            resolve(message);
        },
        output: (stream, chunk) => (stream === 'out' ? this.#log.push(chunk) : this.#log.pushError(chunk)),
        ended: resolve,
      });
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

  /** One after the other, so that the newest of a name is the last that is heard. */
  #checkpoint(child: StepProcess, id: number, artifact: EncodedArtifact): void {
    this.#checkpoints = this.#checkpoints.then(async () => {
      let problem: string | undefined;
      try {
        const saved = await this.#files.store(artifact, storedInlineMax);
        if (this.#listener === undefined) problem = 'nobody keeps checkpoints here';
        else await this.#listener.checkpoint(saved);
      } catch (error) {
        problem = messageOf(error);
      }
      child.send({ type: 'checkpointed', number: this.#number, id, problem });
    });
  }

  #card(name: string, said: string): void {
    const document = Buffer.from(this.#mask(said));
    this.#cards.set(name, document);
    this.#listener?.card(name, document);
  }

  /** As they were at the end. A card that cannot be stored is left out: it never fails a task. */
  async #storedCards(): Promise<readonly ArtifactRef[]> {
    const stored = [...this.#cards].map(async ([name, bytes]) =>
      this.#files.store({ name, codec: 'json', bytes }).catch(() => undefined),
    );
    return (await Promise.all(stored)).filter((card) => card !== undefined);
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

  /** How it ended; a stop comes before whatever was said. */
  #verdict(said: Said): Completed | Failure {
    const platform = (kind: FailureKind, message: string): Failure => {
      return { type: 'failed', kind, message, stack: '', trace: '', final: false };
    };
    if (this.#stopped !== undefined) return platform(this.#stopped.kind, this.#stopped.reason);
    if (said === undefined) return platform('platform', 'the step was not begun');
    if (!('type' in said)) {
      const { kind, message } = this.#death(said);
      return platform(kind, message);
    }
    return said;
  }

  async #conclude(said: Said): Promise<TaskOutcome> {
    const ended = this.#verdict(said);
    if (ended.type === 'failed' && ended.kind !== 'cancelled')
      this.#log.failure(ended.stack || ended.message, ended.trace);
    const text = this.#log.text();
    const logs =
      text === undefined
        ? undefined
        : await this.#files.store({ name: 'log', codec: 'text', bytes: Buffer.from(text) });
    const cards = await this.#storedCards();
    if (ended.type === 'failed') {
      const { type, kind, message, stack, final } = ended;
      return { type, kind, message: this.#mask(message), stack: this.#mask(stack), logs, cards, final };
    }
    const { inputs, passed, split, choice, again, userMs, values } = ended;
    const metrics = await this.#metricsOfRun(ended);
    const [written, requests, packs] = await Promise.all([
      Promise.all(
        [...ended.artifacts, ...this.#lock()].map((artifact) => this.#files.store(artifact, storedInlineMax)),
      ),
      Promise.all(ended.models.map((model) => this.#registration(model, metrics))),
      Promise.all(
        (split?.packs ?? []).map(async ({ count, content, digests }) => ({
          count,
          hash: (await this.#files.store(content)).hash,
          ...(digests === undefined ? {} : { digests: Buffer.from(digests) }),
        })),
      ),
    ]);
    if (values !== undefined) requests.push({ kind: 'log-values', body: JSON.stringify(values, withoutLoss) });
    if (ended.tags !== undefined) requests.push({ kind: 'tag-run', body: JSON.stringify(ended.tags) });
    return {
      type: 'completed',
      artifacts: [...passed.map(asBuffer), ...written],
      requests,
      userMs,
      logs,
      cards,
      again,
      inputs,
      ...(split === undefined ? {} : { split: { size: split.size, packs } }),
      ...(choice === undefined ? {} : { choice }),
    };
  }

  /** What exactly was installed, so that it can be looked up and built again. */
  #lock(): readonly EncodedArtifact[] {
    const { lock } = this.#environment ?? {};
    return lock === undefined ? [] : [{ name: 'environment_lock', codec: 'text', bytes: Buffer.from(lock) }];
  }

  /** A model that comes without metrics has those of its run as they are now, as one that is registered by MLflow's API. */
  async #metricsOfRun({ models, values }: Completed): Promise<Readonly<Record<string, number>>> {
    if (models.every(({ metrics }) => Object.keys(metrics).length > 0)) return {};
    const { environment = {} } = settingsOf(this.#work.settings);
    return { ...(await runMetrics(this.#work.runId, environment)), ...finite(values?.metrics ?? {}) };
  }

  async #registration(
    { artifact, attached = [], ...model }: Completed['models'][number],
    ofRun: Readonly<Record<string, number>>,
  ): Promise<DeferredRequest> {
    const [stored, ...others] = await Promise.all([artifact, ...attached].map((one) => this.#files.store(one)));
    const tags = {
      ...model.tags,
      ...Object.fromEntries(others.map(({ name, hash }) => [`${attachedTag}${name}`, hash])),
    };
    const metrics = Object.keys(model.metrics).length > 0 ? model.metrics : ofRun;
    const body = { ...model, metrics, tags, artifact: { ...stored, name: model.model } };
    return { kind: 'register-model', body: JSON.stringify(body) };
  }

  /** Why a child ended in the middle of a step. */
  #death({ code, signal }: Ended): { readonly kind: FailureKind; readonly message: string } {
    const memoryMb = this.#memoryMb;
    if (this.#log.mentions('heap out of memory') || this.#log.mentions('out of memory: more than')) {
      return { kind: 'killed', message: `the step ran out of memory: its limit is ${memoryMb} MiB` };
    }
    if (signal !== null) return { kind: 'killed', message: `the step's process was ended by ${signal}` };
    if (code === null) return { kind: 'platform', message: 'the process for the step could not be started' };
    if (code >= 128) return { kind: 'killed', message: `the step's process crashed with code ${code}` };
    return { kind: 'user', message: `the step ended its process with exit code ${code}: return instead` };
  }
}

/** Bytes that came from a child are bare. */
function asBuffer({ inline, ...ref }: ArtifactRef): ArtifactRef {
  return inline === undefined || inline === null ? ref : { ...ref, inline: Buffer.from(inline) };
}
