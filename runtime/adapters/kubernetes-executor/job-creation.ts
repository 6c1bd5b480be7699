import { setTimeout as wait } from 'node:timers/promises';
import type { V1Job } from '@kubernetes/client-node';
import type { TaskWork } from '../../ports/task-executor.ts';
import { isPassing, type Refusal, refusalOf } from './api-calls.ts';
import type { ClusterApi } from './cluster-api.ts';
import { askedOf, holderAnnotation, jobName, jobOf } from './job-spec.ts';
import type { JobSettings } from './kubernetes-options.ts';
import type { End } from './pod-end.ts';

interface CreationParts {
  readonly api: ClusterApi;
  readonly settings: JobSettings;
  readonly unreachableMs: number;
}

type Found = { readonly job: V1Job } | End;

const backoffMaxMs = 5_000;

/** Makes the Job, or takes over the one that stands under its name: a worker that died between making and noting finds it again. */
export async function createOrAdopt(work: TaskWork, parts: CreationParts, signal: AbortSignal): Promise<Found> {
  const job = jobOf(work, parts.settings);
  return await untilAnswered(parts, signal, async (waitedMs): Promise<Found | undefined> => {
    try {
      return { job: await parts.api.createJob(job) };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.reason === 'AlreadyExists') return await own(work, parts);
      // what takes up the quota may end
      const passing = /exceeded quota/.test(refusal.message) && waitedMs < parts.settings.pendingMs;
      if (isPassing(refusal) || passing) throw error;
      return refused(refusal, work, parts.settings);
    }
  });
}

/** Only looks for it. */
export async function findOwn(work: TaskWork, parts: CreationParts, signal: AbortSignal): Promise<Found> {
  return await untilAnswered(parts, signal, async () => {
    const found = await own(work, parts);
    return found ?? { kind: 'lost', message: `the worker ended while it held the task, before there was a Job for it` };
  });
}

/** Undefined when it is not there. */
async function own(work: TaskWork, { api }: CreationParts): Promise<Found | undefined> {
  const name = jobName(work);
  try {
    const job = await api.readJob(name);
    const { annotations = {}, deletionTimestamp } = job.metadata ?? {};
    const holder = annotations[holderAnnotation] ?? '';
    if (holder !== (work.holder ?? ''))
      return { kind: 'platform', message: `Job ${name} belongs to '${holder}': another worker holds the task` };
    if (deletionTimestamp !== undefined) return { kind: 'lost', message: `Job ${name} is being deleted` };
    return { job };
  } catch (error) {
    if (refusalOf(error).status === 404) return undefined;
    throw error;
  }
}

async function untilAnswered(
  { unreachableMs, settings }: CreationParts,
  signal: AbortSignal,
  ask: (waitedMs: number) => Promise<Found | undefined>,
): Promise<Found> {
  const since = performance.now();
  for (let waitMs = 100; ; waitMs = Math.min(2 * waitMs, backoffMaxMs)) {
    const waitedMs = performance.now() - since;
    if (signal.aborted) return { kind: 'cancelled', message: 'it was stopped before there was a Job for it' };
    let refusal: Refusal | undefined;
    try {
      const found = await ask(waitedMs);
      if (found !== undefined) return found;
    } catch (error) {
      refusal = refusalOf(error);
    }
    const patienceMs = refusal?.status === 403 ? settings.pendingMs : unreachableMs;
    if (refusal !== undefined && waitedMs > patienceMs) {
      const who = refusal.status === 0 ? 'cannot be reached' : `answers ${refusal.status}`;
      return {
        kind: 'platform',
        message: `the API server ${who} since ${Math.round(waitedMs)} ms: ${refusal.message}`,
      };
    }
    await wait(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

function refused({ status, message }: Refusal, work: TaskWork, { namespace }: JobSettings): End {
  const about = `the cluster refuses the Job of step '${work.step}'`;
  if (/exceeded quota/.test(message))
    return { kind: 'platform', message: `${about}: the quota of ${namespace} is used up: ${message}` };
  const judged = status === 422 || status === 400 || /admission webhook|denied (the )?request|denied by/i.test(message);
  if (judged) {
    const { image, resources } = askedOf(work);
    const asked = JSON.stringify({ image, resources });
    return { kind: 'user', message: `${about}: ${message} (it asks for ${asked})`, final: true };
  }
  if (status === 403) return { kind: 'platform', message: `this worker may not make Jobs in ${namespace}: ${message}` };
  return { kind: 'platform', message: `${about}: ${message}` };
}
