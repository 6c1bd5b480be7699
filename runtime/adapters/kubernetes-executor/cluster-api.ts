/** The one place that talks to the API server: only what the executor needs, each call bounded in time. */
import {
  AuthenticationV1Api,
  BatchV1Api,
  CoreV1Api,
  KubeConfig,
  type V1Job,
  type V1Pod,
  Watch,
} from '@kubernetes/client-node';
import { within } from './api-calls.ts';
import { ClusterWatch, type WatchOptions } from './cluster-watch.ts';
import { containerName, tokenAudience } from './job-spec.ts';

const callMs = 15_000;

type Follow<T extends V1Job | V1Pod> = Pick<WatchOptions<T>, 'labelSelector' | 'changed' | 'gone' | 'warn'>;

export class ClusterApi {
  readonly #namespace: string;
  readonly #config = new KubeConfig();
  readonly #batch: BatchV1Api;
  readonly #core: CoreV1Api;
  readonly #authentication: AuthenticationV1Api;

  constructor(namespace: string, kubeconfig: string) {
    this.#namespace = namespace;
    if (kubeconfig === '') this.#config.loadFromDefault();
    else this.#config.loadFromFile(kubeconfig);
    this.#batch = this.#config.makeApiClient(BatchV1Api);
    this.#core = this.#config.makeApiClient(CoreV1Api);
    this.#authentication = this.#config.makeApiClient(AuthenticationV1Api);
  }

  createJob(body: V1Job): Promise<V1Job> {
    return within(this.#batch.createNamespacedJob({ namespace: this.#namespace, body }), callMs);
  }

  readJob(name: string): Promise<V1Job> {
    return within(this.#batch.readNamespacedJob({ namespace: this.#namespace, name }), callMs);
  }

  /** Its pods are ended too, in the order of the cluster. */
  async deleteJob(name: string): Promise<void> {
    const propagationPolicy = 'Background';
    await within(this.#batch.deleteNamespacedJob({ namespace: this.#namespace, name, propagationPolicy }), callMs);
  }

  followJobs(follow: Follow<V1Job>): ClusterWatch<V1Job> {
    const { labelSelector } = follow;
    return new ClusterWatch({
      ...follow,
      watch: new Watch(this.#config),
      path: `/apis/batch/v1/namespaces/${this.#namespace}/jobs`,
      list: () => this.#batch.listNamespacedJob({ namespace: this.#namespace, labelSelector }),
    });
  }

  followPods(follow: Follow<V1Pod>): ClusterWatch<V1Pod> {
    const { labelSelector } = follow;
    return new ClusterWatch({
      ...follow,
      watch: new Watch(this.#config),
      path: `/api/v1/namespaces/${this.#namespace}/pods`,
      list: () => this.#core.listNamespacedPod({ namespace: this.#namespace, labelSelector }),
    });
  }

  /** What the cluster last warned of about a Job: why it makes no pod. */
  async warningAbout(job: string): Promise<string | undefined> {
    const fieldSelector = `involvedObject.kind=Job,involvedObject.name=${job},type=Warning`;
    const { items } = await within(
      this.#core.listNamespacedEvent({ namespace: this.#namespace, fieldSelector }),
      callMs,
    );
    return items.at(-1)?.message;
  }

  /** The last lines that the container wrote. */
  async podLog(name: string): Promise<string> {
    const tail = { namespace: this.#namespace, name, container: containerName, tailLines: 100, limitBytes: 65_536 };
    return await within(this.#core.readNamespacedPodLog(tail), callMs);
  }

  /** The pod that the cluster gave this token to; undefined when it is no good, or the pod is no more. */
  async podOf(token: string): Promise<{ readonly name: string; readonly uid: string } | undefined> {
    const { status } = await within(
      this.#authentication.createTokenReview({
        body: { spec: { token, audiences: [tokenAudience] } },
      }),
      callMs,
    );
    const { authenticated, audiences = [], user } = status ?? {};
    if (authenticated !== true || !audiences.includes(tokenAudience)) return undefined;
    if (user?.username?.startsWith(`system:serviceaccount:${this.#namespace}:`) !== true) return undefined;
    const [name] = user.extra?.['authentication.kubernetes.io/pod-name'] ?? [];
    const [uid] = user.extra?.['authentication.kubernetes.io/pod-uid'] ?? [];
    return name === undefined || uid === undefined ? undefined : { name, uid };
  }
}
