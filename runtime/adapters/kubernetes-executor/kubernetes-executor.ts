/**
 * TaskExecutor on Kubernetes: one Job with one pod for each attempt. The pod asks this worker for its work through a door, showing the
 * token of its own service account, which the cluster checks; so it holds no credentials of the store or the log. What becomes of it is
 * known twice: the pod says it, and the cluster says what became of the pod.
 */
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { MillraceError } from '../../ports/errors.ts';
import type { TaskExecutor, TaskHandle, TaskListener, TaskWork } from '../../ports/task-executor.ts';
import { openStepDoor, type StepDoor } from '../step-door/step-door.ts';
import { ClusterApi } from './cluster-api.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import { JobRun, type JobRunParts } from './job-run.ts';
import { gangAddress, jobName, labelValue, workerLabel } from './job-spec.ts';
import type { JobSettings, KubernetesExecutorOptions } from './kubernetes-options.ts';
import { PodTokens } from './pod-tokens.ts';

const tickMs = 500;
const jobLabel = 'batch.kubernetes.io/job-name';

/** Opens the door and begins to follow the Jobs of this worker. An API server that is out of reach is waited for. */
export async function createKubernetesExecutor(options: KubernetesExecutorOptions): Promise<TaskExecutor> {
  const api = new ClusterApi(options.namespace, options.kubeconfig);
  const executor: { value?: KubernetesExecutor } = {};
  const tokens = new PodTokens((token) => api.podOf(token));
  const door = await openStepDoor({
    host: options.doorHost,
    port: options.doorPort,
    blobs: options.blobs,
    taskOf: async (token) => {
      const pod = await tokens.podOf(token);
      return pod === undefined ? undefined : (executor.value?.runOfPod(pod) ?? 'stale');
    },
  });
  const settings = { ...options, doorUrl: options.doorUrl === '' ? door.url : options.doorUrl };
  return (executor.value = new KubernetesExecutor(api, door, settings, options));
}

class KubernetesExecutor implements TaskExecutor {
  readonly slots: number;
  readonly #settings: JobSettings;
  readonly #door: StepDoor;
  readonly #parts: JobRunParts;
  readonly #runs = new Map<string, JobRun>();
  readonly #jobs: ClusterWatch<V1Job>;
  readonly #pods: ClusterWatch<V1Pod>;
  readonly #timer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  constructor(api: ClusterApi, door: StepDoor, settings: JobSettings, options: KubernetesExecutorOptions) {
    this.slots = options.slots;
    this.#settings = settings;
    this.#door = door;
    const { blobs, silentMs = 60_000, unreachableMs = 300_000, warn } = options;
    const apiAwayMs = (): number => Math.max(this.#jobs.awayMs, this.#pods.awayMs);
    this.#parts = { api, blobs, settings, silentMs, unreachableMs, apiAwayMs, warn };
    const common = {
      labelSelector: `${workerLabel}=${labelValue(settings.worker)}`,
      warn,
    };
    this.#jobs = api.followJobs({
      ...common,
      changed: (job) => this.#runs.get(job.metadata?.name ?? '')?.jobChanged(job),
      gone: (job) => this.#runs.get(job.metadata?.name ?? '')?.jobGone(),
    });
    this.#pods = api.followPods({
      ...common,
      changed: (pod) => this.#runOf(pod)?.podChanged(pod),
      gone: (pod) => this.#runOf(pod)?.podGone(pod),
    });
    this.#timer = setInterval(() => {
      for (const run of this.#runs.values()) run.tick(performance.now());
    }, tickMs);
    this.#timer.unref();
  }

  start(work: TaskWork, listener?: TaskListener): TaskHandle {
    return this.#run(work, false, listener);
  }

  adopt(work: TaskWork, listener?: TaskListener): TaskHandle {
    return this.#run(work, true, listener);
  }

  address(work: TaskWork): string {
    return gangAddress(work, this.#settings);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const runs = [...this.#runs.values()];
      for (const run of runs) run.cancel('the executor is closing');
      await Promise.all(runs.map(({ outcome }) => outcome));
      clearInterval(this.#timer);
      this.#jobs.close();
      this.#pods.close();
      await this.#door.close();
    })();
    return this.#closing;
  }

  /** Of a pod whose token the cluster knows; undefined when nobody waits for it. */
  runOfPod({ name, uid }: { readonly name: string; readonly uid: string }): JobRun | undefined {
    const pod = this.#pods.get(name);
    const run = pod === undefined ? undefined : this.#runOf(pod);
    if (run !== undefined) return run.hasPod(uid) && !run.decided ? run : undefined;
    // the watch may be behind the pod: it is told to come again
    if (pod === undefined) throw new MillraceError('UNAVAILABLE', `pod ${name} is not known yet`);
    return undefined;
  }

  #run(work: TaskWork, adopt: boolean, listener?: TaskListener): TaskHandle {
    if (this.#closing !== undefined)
      throw new MillraceError('CLOSED', `step '${work.step}' of run ${work.runId} was given to a closed executor`);
    const same = this.#runs.get(jobName(work));
    if (same !== undefined) return { outcome: same.outcome, cancel: (reason) => same.cancel(reason) };
    const run = new JobRun(this.#parts, work, adopt, listener);
    this.#runs.set(run.name, run);
    void run.outcome.then(() => this.#runs.delete(run.name));
    if (adopt) this.#seen(run);
    return { outcome: run.outcome, cancel: (reason) => run.cancel(reason) };
  }

  /** What the watches saw of it before it was adopted. */
  #seen(run: JobRun): void {
    for (const pod of this.#pods.values()) if (this.#runOf(pod) === run) run.podChanged(pod);
  }

  #runOf(pod: V1Pod): JobRun | undefined {
    return this.#runs.get(pod.metadata?.labels?.[jobLabel] ?? '');
  }
}
