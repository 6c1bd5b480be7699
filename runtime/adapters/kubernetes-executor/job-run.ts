import { setTimeout as wait } from 'node:timers/promises';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { BlobStore } from '../../ports/blob-store.ts';
import { hasCode, messageOf } from '../../ports/errors.ts';
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
  #decide: (outcome: TaskOutcome) => void = () => undefined;
  #decided = false;
  #stopped: (End & { readonly atMs: number }) | undefined;
  #ending = false;
  #jobDeleted = false;
  #pod: V1Pod | undefined;
  #job: V1Job | undefined;
  #why = 'the cluster has made no pod for it';
  #waitsSince = performance.now();
  #askedAt = performance.now();
  #runsSince: number | undefined;
  #heardAt = performance.now();
  #lines: string[] = [];
  #lineBytes = 0;

  constructor(parts: JobRunParts, work: TaskWork, adopt: boolean, listener?: TaskListener) {
    this.#parts = parts;
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

  async ended(outcomeHash: string): Promise<void> {
    if (this.#decided) return;
    const outcome = fromJson((await this.#parts.blobs.get(outcomeHash)).toString('utf8')) as TaskOutcome;
    const { type } = outcome as { readonly type?: unknown };
    if (type !== 'completed' && type !== 'failed')
      throw new TypeError(`blob ${outcomeHash} holds no outcome of a step`);
    if (this.#stopped !== undefined) return this.#fail(this.#stopped, outcome);
    // it was told to end, and not by us
    if (outcome.type === 'failed' && outcome.kind === 'cancelled')
      return await this.#settle({ kind: 'platform', message: `pod of Job ${this.name}: ${outcome.message}` }, outcome);
    this.#conclude(outcome);
  }

  /** What nobody tells: it waits too long, runs too long, is silent. */
  tick(nowMs: number): void {
    const { settings, silentMs, unreachableMs, apiAwayMs } = this.#parts;
    const stopped = this.#stopped;
    if (stopped !== undefined) {
      if (nowMs - stopped.atMs > stopMs) this.#fail(stopped);
      return;
    }
    if (this.#job === undefined) return;
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
    const waitedMs = nowMs - this.#waitsSince;
    if (this.#pod === undefined && nowMs - this.#askedAt > askEveryMs) {
      this.#askedAt = nowMs;
      void this.#parts.api.warningAbout(this.name).then(
        (said) => {
          if (said !== undefined && this.#pod === undefined) this.#why = said;
        },
        () => undefined,
      );
    }
    if (waitedMs > pendingMs) {
      const message = `Job ${this.name} waited ${Math.round(waitedMs / 1_000)} s and was not begun: ${this.#why}`;
      this.#stop({ kind: 'platform', message });
    }
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
    if (this.#decided || this.#ending) return;
    if (this.#stopped !== undefined) return this.#fail(this.#stopped, outcome);
    this.#ending = true;
    await wait(settleMs, undefined, { ref: false });
    if (this.#decided) return;
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
    const { hash, sizeBytes } = await this.#parts.blobs.put(Buffer.from(`${this.#lines.join('\n')}\n`));
    return { name: 'log', codec: 'text', hash, sizeBytes };
  }
}
