import { crashPoint } from '../../runtime/engine/crash-points.ts';
import type { PublishedAt, Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import type {
  ArtifactRef,
  TaskExecutor,
  TaskHandle,
  TaskOutcome,
  TaskWork,
} from '../../runtime/ports/task-executor.ts';
import type { TaskDispatched, TaskRevoked } from '../../schemas/events.ts';
import type { Claim } from './claim.ts';
import { freeAddress, type Gangs } from './gangs.ts';
import { packResults } from './pack-results.ts';
import type { TaskOutput } from './task-output.ts';
import { withUploadPoints } from './upload-points.ts';
import { checkpointFact, endedFact, factOf, startedFact, type WorkerName } from './facts.ts';

export interface AttemptParts {
  readonly runtime: Runtime;
  readonly executor: TaskExecutor;
  readonly identity: WorkerName;
  readonly claim: Claim;
  readonly startMarginMs: number;
  /** Resolves with true once the claim is committed, false when this worker has lost the partition before, or closes. */
  committed(): Promise<boolean>;
  /** Called when its heart must begin to beat. */
  beating(): void;
  readonly gangs: Gangs;
  readonly output: TaskOutput;
  /** Work that an earlier process of this worker began, and that outlived it: it is gone on with. */
  readonly adopt?: TaskExecutor['adopt'];
  /** Where members of a gang reach this machine. */
  readonly host: string;
  /** Environment of the step, under what its flow names. */
  readonly variables: Readonly<Record<string, string>>;
}

/** One claimed dispatch from its commit to its terminal fact. */
export class Attempt {
  /** Resolves with whether its claim is over (said, or revoked) and may be forgotten. */
  readonly done: Promise<boolean>;
  readonly #parts: AttemptParts;
  #handle: TaskHandle | undefined;
  #beats = false;
  #revoked: string | undefined;
  #stopping = false;
  /** Aborts when it is revoked, or the worker closes. */
  readonly #ending = new AbortController();

  #checkpoints = 0;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.done = this.#run().catch((error: unknown) => {
      const { runId, taskId } = this.dispatched;
      parts.runtime.parts.logger.error({ runId, taskId, error: messageOf(error) }, 'an attempt could not be finished');
      return false;
    });
  }

  get dispatched(): TaskDispatched {
    return this.#parts.claim.dispatched;
  }

  /** Who says its facts. */
  get identity(): WorkerName {
    return this.#parts.identity;
  }

  /** Its lease is open: to be renewed until its end is acknowledged. */
  get beats(): boolean {
    return this.#beats;
  }

  /** Ends the step if it is meant; then there is nobody to tell. */
  hear({ runId, taskId, attempt, dispatch, incarnation, reason }: TaskRevoked): void {
    const { dispatched } = this;
    if (runId !== dispatched.runId || taskId !== dispatched.taskId) return;
    if (attempt !== dispatched.attempt || dispatch !== dispatched.dispatch) return;
    if (incarnation !== null && incarnation !== this.#parts.identity.incarnation) return;
    this.#revoked = reason;
    this.#ending.abort();
    this.#handle?.cancel(reason);
  }

  /** The worker is closing: the step is ended, and that is said, so that nobody waits for its lease. */
  stop(): void {
    this.#stopping = true;
    this.#ending.abort();
    this.#handle?.cancel('the worker is closing');
  }

  async #run(): Promise<boolean> {
    const { identity, executor, committed, beating, gangs, host, runtime, claim, adopt } = this.#parts;
    const { dispatched } = this;
    if (!(await committed())) return false;
    if (this.#revoked !== undefined) return true;
    if (adopt !== undefined) return await this.#goOn(adopt);
    const { gang = null } = dispatched;
    const own = gang?.rank === 0 ? (executor.address?.(dispatched) ?? (await freeAddress(host))) : '';
    const [at] = await this.#say(startedFact(dispatched, identity, own, claim.work));
    if (this.#stopping) return await this.#end(factOf('stopped', dispatched, identity, stopped));
    if (!(await this.#inTime(at))) {
      const message = 'its start was acknowledged too late: user code was not begun';
      return await this.#end(factOf('not-started', dispatched, identity, { kind: 'not-started', message }));
    }
    if (this.#revoked !== undefined) return true;
    this.#beats = true;
    beating();
    const address = gang === null ? undefined : await gangs.assembled(dispatched, this.#ending.signal);
    const outcome =
      dispatched.kind === 'pack'
        ? await packResults(dispatched, withUploadPoints(runtime.parts.blobs))
        : await this.#execute(executor, address === undefined ? this.#work() : { ...this.#work(), address });
    return await this.#tell(outcome);
  }

  /** Its start was said, or else the platform has given it to another one and will say so. */
  async #goOn(adopt: NonNullable<TaskExecutor['adopt']>): Promise<boolean> {
    this.#beats = true;
    this.#parts.beating();
    // lines and cards are numbered from the start, which was heard by another process: the outcome has all of them
    const nothing = (): void => undefined;
    this.#checkpoints = this.#parts.runtime.parts.clock.now();
    this.#handle = adopt(this.#work(), {
      line: nothing,
      card: nothing,
      checkpoint: (saved) => this.#checkpoint(saved),
    });
    return await this.#tell(await this.#handle.outcome);
  }

  #work(): TaskWork {
    const { identity, variables } = this.#parts;
    const { settings, ...dispatched } = this.dispatched;
    return { ...dispatched, settings: withVariables(settings, variables), holder: identity.incarnation };
  }

  async #tell(outcome: TaskOutcome): Promise<boolean> {
    const { dispatched } = this;
    const { identity } = this.#parts;
    // Whoever revoked it has closed the task: a fact would only be refused.
    if (this.#revoked !== undefined) {
      this.#beats = false;
      return true;
    }
    if (this.#stopping && outcome.type === 'failed' && outcome.kind === 'cancelled') {
      return await this.#end(factOf('stopped', dispatched, identity, stopped));
    }
    return await this.#end(endedFact(dispatched, identity, outcome));
  }

  async #execute(executor: TaskExecutor, work: TaskWork): Promise<TaskOutcome> {
    if (this.#ending.signal.aborted)
      return { type: 'failed', kind: 'cancelled', message: '', stack: '', logs: undefined };
    const output = this.#parts.output.of(this.dispatched);
    try {
      const checkpoint = (saved: ArtifactRef): Promise<void> => this.#checkpoint(saved);
      this.#handle = executor.start(work, { ...output.listener, checkpoint });
      return await this.#handle.outcome;
    } finally {
      // nothing else will tell the last words of one that was revoked
      if (this.#revoked !== undefined) await output.flush();
      output.end();
    }
  }

  async #checkpoint(saved: ArtifactRef): Promise<void> {
    if (this.#revoked !== undefined) throw new Error(`it is not kept: ${this.#revoked}`);
    await this.#say(checkpointFact(this.dispatched, this.#parts.identity, saved, ++this.#checkpoints));
  }

  /** Heartbeats go on until the fact is acknowledged, however long that takes. */
  async #end(fact: IdentifiedOutput): Promise<boolean> {
    crashPoint('before-complete');
    await this.#say(fact);
    this.#beats = false;
    crashPoint('after-complete');
    return true;
  }

  /** User code begins only if the append time of the start lies before the dispatch's deadline less a margin. */
  async #inTime(at: PublishedAt | undefined): Promise<boolean> {
    if (at === undefined) return false;
    const { runtime, startMarginMs } = this.#parts;
    const partition = { topic: runtime.topic(at.topic), partition: at.partition };
    for await (const records of runtime.parts.log.read(partition, { from: at.offset, to: at.offset + 1 })) {
      const [record] = records;
      if (record !== undefined) return record.timestampMs <= this.dispatched.startDeadline - startMarginMs;
    }
    return false;
  }

  /** Says it again under the same id until its fate is known. */
  async #say(fact: IdentifiedOutput): Promise<readonly PublishedAt[]> {
    const { runtime } = this.#parts;
    for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        return await runtime.publish([fact]);
      } catch (error) {
        if (this.#stopping || !hasCode(error, 'UNKNOWN_OUTCOME', 'UNAVAILABLE', 'DISK_FULL', 'TIMEOUT')) throw error;
        await new Promise<void>((resolve) => runtime.parts.clock.after(waitMs, resolve));
      }
    }
  }
}

/** Settings of a task, JSON, with more variables in its environment. */
function withVariables(settings: string | undefined, variables: Readonly<Record<string, string>>): string {
  if (Object.keys(variables).length === 0) return settings ?? '{}';
  const { environment = {}, ...rest } = JSON.parse(settings ?? '{}') as { readonly environment?: object };
  return JSON.stringify({ ...rest, environment: { ...variables, ...environment } });
}

const stopped = { kind: 'lost', message: 'the worker was closed while the step ran' };
