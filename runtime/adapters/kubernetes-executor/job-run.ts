import { setTimeout as wait } from 'node:timers/promises';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { BlobStore } from '../../ports/blob-store.ts';
import { hasCode, MillraceError, messageOf } from '../../ports/errors.ts';
import type { ArtifactRef, TaskListener, TaskOutcome, TaskWork } from '../../ports/task-executor.ts';
import { ReadableBlobs } from '../step-door/readable-blobs.ts';
import type { DoorTask, SaidOutput } from '../step-door/step-door.ts';
import { fromJson } from '../step-door/task-json.ts';
import type { ClusterApi } from './cluster-api.ts';
import { createOrAdopt, findOwn } from './job-creation.ts';
import { refusalOf } from './api-calls.ts';
import { askedOf, jobName, settingsInPod } from './job-spec.ts';
import type { JobSettings } from './kubernetes-options.ts';
import { type End, goneEnd, isDisrupted, jobEnd, type PodFacts, podState } from './pod-end.ts';

export interface JobRunParts {
  readonly api: ClusterApi;
  readonly blobs: BlobStore;
  readonly settings: JobSettings;
  readonly silentMs: number;
  readonly unreachableMs: number;
  /** How long the API server has been out of reach, milliseconds; 0: it is heard. */
  apiAwayMs(): number;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}

/** After a request to stop: the pod's own grace, and a little more. */
const stopMs = 15_000;
/** Facts of one end come in several pieces: so long the clearest one is waited for. */
const settleMs = 1_000;
/** Beyond the step's own clock. */
const overtimeMs = 20_000;
/** The cluster is asked why a Job has no pod so often. */
const askEveryMs = 2_000;

/** One attempt as a Job, from its creation or adoption to its outcome. */
export class JobRun implements DoorTask {
  readonly name: string;
  readonly work: TaskWork;
  readonly readable: ReadableBlobs;
  readonly outcome: Promise<TaskOutcome>;
  readonly #parts: JobRunParts;
  readonly #facts: PodFacts;
  readonly #listener: TaskListener | undefined;
  readonly #abort = new AbortController();
  readonly #adopted: boolean;
  #decide: (outcome: TaskOutcome) => void = () => undefined;
  #decided = false;
  #stopped: (End & { readonly atMs: number }) | undefined;
  #ending = false;
  #reading: { readonly hash: string; readonly done: Promise<void> } | undefined;
  #jobDeleted = false;
  #pod: V1Pod | undefined;
  #job: V1Job | undefined;
  #why = 'the cluster has made no pod for it';
  #waitsSince = performance.now();
  #askedAt = performance.now();
  #asking = false;
  #runsSince: number | undefined;
  #heardAt = performance.now();
  #lines: string[] = [];
  #lineBytes = 0;

  constructor(parts: JobRunParts, work: TaskWork, adopt: boolean, listener?: TaskListener) {
    this.#parts = parts;
    this.#adopted = adopt;
    this.name = jobName(work);
    const { settings } = parts;
    const { memoryMb, logBytesMax } = settings;
    this.work = { ...work, settings: settingsInPod(work), ...{ memoryMb, logBytesMax } };
    this.readable = new ReadableBlobs(this.work);
    this.#listener = listener;
    const { resources, image } = askedOf(work);
    this.#facts = {
      memoryMb: resources?.memoryMb ?? memoryMb,
      timeoutMs: work.timeoutMs,
      ownImage: image !== undefined,
    };
    this.outcome = new Promise((resolve) => {
      this.#decide = resolve;
    });
    void this.#begin(work, adopt).catch((error: unknown) => {
      const kind = hasCode(error, 'INVALID_ARGUMENT') ? 'user' : 'platform';
      this.#end({ kind, message: messageOf(error), final: kind === 'user' });
    });
  }

  get decided(): boolean {
    return this.#decided;
  }

  cancel(reason: string): void {
    this.#stop({ kind: 'cancelled', message: reason });
  }

  /** The pod with this uid is the one of this Job. */
  hasPod(uid: string): boolean {
    return this.#pod?.metadata?.uid === uid;
  }

  podChanged(pod: V1Pod): void {
    this.#pod = pod;
    const state = podState(pod, this.#facts);
    switch (state.type) {
      case 'said':
        void this.ended(state.outcome).catch((error: unknown) =>
          this.#end({ kind: 'platform', message: `its outcome cannot be read: ${messageOf(error)}` }),
        );
        return;
      case 'ended':
        void this.#settle(state);
        return;
      case 'running':
        if (this.#runsSince === undefined) this.#runsSince = this.#heardAt = performance.now();
        return;
      case 'waiting':
        this.#why = state.why;
    }
  }

  podGone(pod: V1Pod): void {
    this.#pod = pod;
    void this.#settle(goneEnd(pod));
  }

  jobChanged(job: V1Job): void {
    this.#job = job;
    const end = jobEnd(job, this.#facts);
    if (end !== undefined) void this.#settle(end);
  }

  jobGone(): void {
    this.#jobDeleted = true;
    void this.#settle(this.#deleted());
  }

  said({ lines, cards }: SaidOutput): void {
    this.#heardAt = performance.now();
    for (const line of lines) {
      this.#listener?.line(line);
      this.#lineBytes += Buffer.byteLength(line) + 1;
      if (this.#lineBytes <= this.#parts.settings.logBytesMax) this.#lines.push(line);
    }
    for (const { name, document } of cards) this.#listener?.card(name, Buffer.from(document));
  }

  async checkpoint(saved: ArtifactRef): Promise<void> {
    await this.#listener?.checkpoint(saved);
  }

  /** The step has said its outcome: what its pod and Job come to from now on says nothing, however long reading it takes. */
  async ended(outcomeHash: string): Promise<void> {
    if (this.#decided) return;
    if (this.#reading?.hash === outcomeHash) return await this.#reading.done;
    const done = this.#conclusion(outcomeHash);
    const reading = { hash: outcomeHash, done };
    this.#reading = reading;
    await done.finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
  }

  async #conclusion(outcomeHash: string): Promise<void> {
    const outcome = fromJson((await this.#readPatiently(outcomeHash)).toString('utf8')) as TaskOutcome;
    if (this.#decided) return;
    const { type } = outcome as { readonly type?: unknown };
    if (type !== 'completed' && type !== 'failed')
      throw new TypeError(`blob ${outcomeHash} holds no outcome of a step`);
    // what was written through the door of an earlier process of this worker is not known here
    if (!this.#adopted) this.readable.check(namedBy(outcome));
    if (this.#stopped !== undefined) return this.#fail(this.#stopped, outcome);
    // it was told to end, and not by us
    if (outcome.type === 'failed' && outcome.kind === 'cancelled') {
      this.#reading = undefined;
      return await this.#settle({ kind: 'platform', message: `pod of Job ${this.name}: ${outcome.message}` }, outcome);
    }
    this.#conclude(outcome);
  }

  /** A store that is away for a while must not make a completed step a failed one. */
  async #readPatiently(hash: string): Promise<Buffer> {
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 5_000)) {
      try {
        return await this.#parts.blobs.get(hash);
      } catch (error) {
        if (this.#decided || !(error instanceof MillraceError && error.retryable)) throw error;
        this.#parts.warn({ job: this.name, error: messageOf(error) }, 'an outcome could not be read: tried again');
        await wait(waitMs, undefined, { ref: false });
      }
    }
  }

  /** What nobody tells: it waits too long, runs too long, is silent. */
  tick(nowMs: number): void {
    const { settings, silentMs, unreachableMs, apiAwayMs } = this.#parts;
    const stopped = this.#stopped;
    if (stopped !== undefined) {
      if (nowMs - stopped.atMs > stopMs) this.#fail(stopped);
      return;
    }
    if (this.#job === undefined || this.#reading !== undefined) return;
    const awayMs = apiAwayMs();
    const runsSince = this.#runsSince;
    if (runsSince === undefined) {
      if (awayMs > unreachableMs)
        this.#stop({ kind: 'platform', message: `the API server has not answered for ${Math.round(awayMs)} ms` });
      else if (awayMs === 0) this.#pending(nowMs, settings.pendingMs);
      return;
    }
    if (nowMs - runsSince > this.work.timeoutMs + overtimeMs)
      return this.#stop({ kind: 'timeout', message: `the step ran longer than ${this.work.timeoutMs} ms` });
    const silentForMs = nowMs - this.#heardAt;
    if (silentForMs > (awayMs === 0 ? silentMs : unreachableMs)) {
      const { metadata, spec } = this.#pod ?? {};
      const who = `pod ${metadata?.name} on node ${spec?.nodeName}`;
      this.#stop({ kind: 'platform', message: `${who} was silent for ${Math.round(silentForMs)} ms` });
    }
  }

  async #begin(work: TaskWork, adopt: boolean): Promise<void> {
    const found = adopt
      ? await findOwn(work, this.#parts, this.#abort.signal)
      : await createOrAdopt(work, this.#parts, this.#abort.signal);
    this.#waitsSince = performance.now();
    if ('kind' in found) return this.#end(found);
    this.#job = found.job;
    if (this.#stopped !== undefined) await this.#remove();
    else this.jobChanged(found.job);
  }

  #pending(nowMs: number, pendingMs: number): void {
    const over = nowMs - this.#waitsSince > pendingMs;
    if (this.#pod !== undefined) {
      if (over) this.#notBegun(nowMs);
      return;
    }
    if (this.#asking || (!over && nowMs - this.#askedAt <= askEveryMs)) return;
    this.#askedAt = nowMs;
    void this.#askWhy().then(() => {
      // the last word is asked for when the wait is over
      if (over && this.#runsSince === undefined) this.#notBegun(nowMs);
    });
  }

  async #askWhy(): Promise<void> {
    this.#asking = true;
    const said = await this.#parts.api.warningAbout(this.name).catch(() => undefined);
    this.#asking = false;
    if (said !== undefined && this.#pod === undefined) this.#why = said;
  }

  #notBegun(nowMs: number): void {
    const waitedSeconds = Math.round((nowMs - this.#waitsSince) / 1_000);
    const message = `Job ${this.name} waited ${waitedSeconds} s and was not begun: ${this.#why}`;
    this.#stop({ kind: 'platform', message });
  }

  #stop(end: End): void {
    if (this.#decided || this.#stopped !== undefined) return;
    this.#stopped = { ...end, atMs: performance.now() };
    this.#abort.abort();
    if (this.#job !== undefined) void this.#remove();
  }

  /** Until the cluster has taken note: a Job that nobody waits for must not run on. */
  async #remove(): Promise<void> {
    for (let waitMs = 100; ; waitMs = Math.min(2 * waitMs, 10_000)) {
      try {
        await this.#parts.api.deleteJob(this.name);
        break;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal.status === 404) break;
        this.#parts.warn({ job: this.name, error: refusal.message }, 'a Job could not be deleted: tried again');
        await wait(waitMs, undefined, { ref: false });
      }
    }
    if (this.#pod === undefined && this.#stopped !== undefined) this.#fail(this.#stopped);
  }

  /** An end without an outcome of the step: a clearer word, or the outcome itself, may be on its way. */
  async #settle(end: End, outcome?: TaskOutcome): Promise<void> {
    if (this.#decided || this.#ending || this.#reading !== undefined) return;
    if (this.#stopped !== undefined) return this.#fail(this.#stopped, outcome);
    this.#ending = true;
    await wait(settleMs, undefined, { ref: false });
    if (this.#decided) return;
    if (this.#reading !== undefined) {
      this.#ending = false;
      return;
    }
    const clearest = this.#clearest(end);
    await this.#lastWords();
    this.#fail(clearest, outcome);
    void this.#remove();
  }

  #clearest(end: End): End {
    const job = this.#job === undefined ? undefined : jobEnd(this.#job, this.#facts);
    if (job?.kind === 'timeout') return job;
    if (this.#jobDeleted || this.#job?.metadata?.deletionTimestamp !== undefined) return this.#deleted();
    const pod = this.#pod;
    if (pod === undefined) return end;
    const state = podState(pod, this.#facts);
    if (state.type === 'ended') return state;
    return pod.metadata?.deletionTimestamp === undefined && !isDisrupted(pod) ? end : goneEnd(pod);
  }

  #deleted(): End {
    return { kind: 'platform', message: `Job ${this.name} was deleted by somebody while the step ran` };
  }

  /** What a container wrote that never came to speak with the worker. */
  async #lastWords(): Promise<void> {
    const name = this.#pod?.metadata?.name;
    if (name === undefined || this.#lines.length > 0) return;
    const text = await this.#parts.api.podLog(name).catch(() => '');
    const at = new Date().toISOString();
    for (const line of text.split('\n')) if (line !== '') this.#lines.push(`${at} err ${line}`);
  }

  #end(end: End): void {
    this.#fail(this.#stopped ?? end);
  }

  #fail({ kind, message, final = false }: End, outcome?: TaskOutcome): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#abort.abort();
    void this.#logs(outcome).then((logs) =>
      this.#decide({ type: 'failed', kind, message, stack: '', logs, cards: outcome?.cards ?? [], final }),
    );
  }

  #conclude(outcome: TaskOutcome): void {
    this.#decided = true;
    this.#abort.abort();
    this.#decide(outcome);
  }

  async #logs(outcome: TaskOutcome | undefined): Promise<ArtifactRef | undefined> {
    if (outcome?.logs !== undefined || this.#lines.length === 0) return outcome?.logs;
    try {
      const { hash, sizeBytes } = await this.#parts.blobs.put(Buffer.from(`${this.#lines.join('\n')}\n`));
      return { name: 'log', codec: 'text', hash, sizeBytes };
    } catch (error) {
      this.#parts.warn({ job: this.name, error: messageOf(error) }, 'the log of a failed step could not be kept');
      return undefined;
    }
  }
}

/** Blobs that others will read because of the outcome. */
function namedBy(outcome: TaskOutcome): readonly (Pick<ArtifactRef, 'hash' | 'inline'> | undefined)[] {
  const { logs, cards = [] } = outcome;
  if (outcome.type === 'failed') return [logs, ...cards];
  return [logs, ...cards, ...outcome.artifacts, ...(outcome.split?.packs ?? [])];
}
