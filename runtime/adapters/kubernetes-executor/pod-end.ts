/** What the state of a pod or Job says of the step: pure, so that each case can be shown. */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import type { TaskOutcome } from '../../ports/task-executor.ts';
import { containerName } from './job-spec.ts';

export interface End {
  readonly kind: Extract<TaskOutcome, { type: 'failed' }>['kind'];
  readonly message: string;
  /** Another attempt would end the same way. */
  readonly final?: boolean;
}

export interface PodFacts {
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** The step named its image. */
  readonly ownImage: boolean;
}

export type PodState =
  | { readonly type: 'waiting'; readonly why: string }
  | { readonly type: 'running'; readonly node: string }
  /** The pod left the outcome of its step: the hash of the blob with it. */
  | { readonly type: 'said'; readonly outcome: string }
  | ({ readonly type: 'ended' } & End);

export function podState(pod: V1Pod, facts: PodFacts): PodState {
  const { name = '' } = pod.metadata ?? {};
  const { phase, reason, message = '', conditions = [], containerStatuses = [] } = pod.status ?? {};
  const node = pod.spec?.nodeName ?? '';
  const container = containerStatuses.find((status) => status.name === containerName);
  const terminated = container?.state?.terminated;
  const outcome = outcomeIn(terminated?.message);
  if (outcome !== undefined) return { type: 'said', outcome };
  const ended = (end: End): PodState => ({ type: 'ended', ...end });
  const disrupted = disruptionOf(pod);
  if (phase === 'Failed' || phase === 'Succeeded') {
    const said = message === '' ? '' : `: ${message}`;
    if (terminated?.reason === 'OOMKilled') {
      const limit = `the step ran out of memory: its limit is ${facts.memoryMb} MiB`;
      return ended({ kind: 'killed', message: `${limit} (pod ${name} was OOMKilled)` });
    }
    if (reason === 'DeadlineExceeded')
      return ended({ kind: 'timeout', message: `the step ran longer than ${facts.timeoutMs} ms` });
    if (reason === 'Evicted')
      return ended({ kind: 'platform', message: `pod ${name} was evicted from ${node}${said}` });
    if (disrupted !== undefined) return ended(disruption(name, node, disrupted));
    if (reason !== undefined && reason !== '')
      return ended({ kind: 'platform', message: `pod ${name} on ${node} ended: ${reason}${said}` });
    // it was told to end, by somebody who deleted it
    if (pod.metadata?.deletionTimestamp !== undefined) return ended(goneEnd(pod));
    return ended(exitOf(name, terminated));
  }
  const waiting = container?.state?.waiting;
  switch (waiting?.reason) {
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'ErrImageNeverPull':
    case 'InvalidImageName': {
      const image = pod.spec?.containers[0]?.image ?? '';
      const why = `image '${image}' cannot be had (${waiting.reason}): ${waiting.message ?? 'the node does not say why'}`;
      // the first failure may be a registry that hiccups: the node backs off only when it came again
      if (waiting.reason === 'ErrImagePull') return { type: 'waiting', why };
      const final = waiting.reason === 'InvalidImageName' || waiting.reason === 'ErrImageNeverPull';
      return ended({ kind: facts.ownImage ? 'user' : 'platform', message: why, final });
    }
    case 'CreateContainerConfigError':
      return ended({ kind: 'user', message: `pod ${name} cannot be begun: ${waiting.message ?? waiting.reason}` });
    case 'CreateContainerError':
    case 'RunContainerError':
      return ended({ kind: 'platform', message: `pod ${name} cannot be begun: ${waiting.message ?? waiting.reason}` });
    default:
  }
  if (container?.state?.running !== undefined && phase === 'Running') return { type: 'running', node };
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False')
    return { type: 'waiting', why: `no node takes pod ${name}: ${scheduled.message ?? scheduled.reason ?? ''}` };
  return { type: 'waiting', why: `pod ${name} is not running yet${waiting?.message ? `: ${waiting.message}` : ''}` };
}

/** Of a Job whose pods say nothing more. */
export function jobEnd(job: V1Job, { timeoutMs }: PodFacts): End | undefined {
  const failed = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Failed' || type === 'FailureTarget') && status === 'True',
  );
  if (failed === undefined) return undefined;
  const { name = '' } = job.metadata ?? {};
  if (failed.reason === 'DeadlineExceeded')
    return {
      kind: 'timeout',
      message: `the step ran longer than ${timeoutMs} ms, the time in which Job ${name} waited included`,
    };
  return {
    kind: 'platform',
    message: `Job ${name} failed and its pod is gone: ${failed.message ?? failed.reason ?? ''}`,
  };
}

/** A pod that is gone without an end: somebody deleted it, or its node is no more. */
export function goneEnd(pod: V1Pod): End {
  const { name = '' } = pod.metadata ?? {};
  const disrupted = disruptionOf(pod);
  if (disrupted !== undefined) return disruption(name, pod.spec?.nodeName ?? '', disrupted);
  return {
    kind: 'platform',
    message: `pod ${name} was deleted while the step ran on ${pod.spec?.nodeName ?? 'no node'}`,
  };
}

export function isDisrupted(pod: V1Pod): boolean {
  return disruptionOf(pod) !== undefined;
}

function disruptionOf({ status }: V1Pod): { readonly reason?: string; readonly message?: string } | undefined {
  return status?.conditions?.find(({ type, status: said }) => type === 'DisruptionTarget' && said === 'True');
}

function disruption(name: string, node: string, said: { readonly reason?: string; readonly message?: string }): End {
  const why = said.message ?? '';
  switch (said.reason) {
    case 'DeletionByPodGC':
    case 'DeletionByTaintManager':
      return { kind: 'platform', message: `node ${node} of pod ${name} is gone: ${why}` };
    case 'PreemptionByScheduler':
      return { kind: 'platform', message: `pod ${name} had to make room for another one: ${why}` };
    default:
      return { kind: 'platform', message: `pod ${name} was evicted from ${node}: ${why}` };
  }
}

function exitOf(
  name: string,
  terminated: { readonly exitCode?: number; readonly reason?: string; readonly message?: string } | undefined,
): End {
  if (terminated === undefined) return { kind: 'platform', message: `pod ${name} ended without a word` };
  const { exitCode = 0, reason = '' } = terminated;
  if (exitCode > 128) return { kind: 'killed', message: `pod ${name} was ended by signal ${exitCode - 128}` };
  if (reason === 'ContainerCannotRun' || reason === 'StartError')
    return {
      kind: 'user',
      message: `the image has no 'millrace' to run: ${terminated.message ?? reason}`,
      final: true,
    };
  return { kind: 'platform', message: `pod ${name} ended with exit code ${exitCode} and left no outcome` };
}

function outcomeIn(message: string | undefined): string | undefined {
  if (message === undefined || message === '') return undefined;
  try {
    const { outcome } = JSON.parse(message) as { readonly outcome?: unknown };
    return typeof outcome === 'string' && /^[0-9a-f]{64}$/.test(outcome) ? outcome : undefined;
  } catch {
    return undefined;
  }
}
