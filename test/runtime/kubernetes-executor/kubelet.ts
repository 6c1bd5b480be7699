/**
 * The kubelet of the tests: runs the command of each pod as a process of this machine, with exactly its command, environment, volumes and
 * token, each in a mount namespace of its own so that the paths are those of the pod, and tells the API server what became of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as k8s from '@kubernetes/client-node';
import { compiledFile } from '../../compiled.ts';

const { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions, Watch } = k8s;

export interface KubeletOptions {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** Images that nodes have: each has `millrace` on its PATH. */
  readonly images: readonly string[];
}

interface RunningPod {
  readonly pod: k8s.V1Pod;
  readonly folder: string;
  child: ChildProcess | undefined;
  /** What the status says in the place of what the process did. */
  forced: ForcedEnd | undefined;
  ended: boolean;
}

/** An end that the machine brings about, not the process. */
export interface ForcedEnd {
  readonly container?: { readonly reason: string; readonly exitCode: number };
  readonly pod?: { readonly reason: string; readonly message: string };
}

export class Kubelet {
  readonly core: k8s.CoreV1Api;
  readonly #options: KubeletOptions;
  readonly #config = new KubeConfig();
  readonly #pods = new Map<string, RunningPod>();
  readonly #bin: string;
  /** /etc/hosts of every pod: stands for the name service of the cluster. */
  readonly #hosts: string;
  #stop: AbortController | undefined;
  #closed = false;

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#config.loadFromFile(options.kubeconfig);
    this.core = this.#config.makeApiClient(CoreV1Api);
    this.#bin = mkdtempSync(join(tmpdir(), 'millrace-image-'));
    this.#hosts = join(this.#bin, 'hosts');
    writeFileSync(this.#hosts, readFileSync('/etc/hosts'));
    const program = join(this.#bin, 'millrace');
    writeFileSync(
      program,
      `#!/bin/sh\nexec '${process.execPath}' '${compiledFile(new URL('../../../cli/main.ts', import.meta.url))}' "$@"\n`,
    );
    chmodSync(program, 0o755);
  }

  async start(): Promise<void> {
    const { namespace } = this.#options;
    const made = (error: unknown): void => {
      if (!(error instanceof Error && 'code' in error && error.code === 409)) throw error;
    };
    await this.core.createNamespace({ body: { metadata: { name: namespace } } }).catch(made);
    const body = { metadata: { name: 'millrace-step' } };
    await this.core.createNamespacedServiceAccount({ namespace, body }).catch(made);
    void this.#follow();
  }

  /** The machine ends the pod of this task: its process is killed, and the status says this. */
  end(taskId: string, end: ForcedEnd): void {
    const found = this.#find(taskId);
    found.forced = end;
    kill(found, 'SIGKILL');
  }

  /** The process stands still, as on a node that is gone. */
  freeze(taskId: string): void {
    kill(this.#find(taskId), 'SIGSTOP');
  }

  podOf(taskId: string): string | undefined {
    const found = [...this.#pods.values()].filter((one) => taskOf(one.pod) === taskId).at(-1);
    return found?.child === undefined ? undefined : found.pod.metadata?.name;
  }

  /** Pods that were begun for a task, in all. */
  begun(taskId: string): number {
    return [...this.#pods.values()].filter((one) => taskOf(one.pod) === taskId && one.child !== undefined).length;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop?.abort();
    for (const one of this.#pods.values()) {
      kill(one, 'SIGKILL');
      rmSync(one.folder, { recursive: true, force: true });
    }
    rmSync(this.#bin, { recursive: true, force: true });
    await this.core.deleteNamespace({ name: this.#options.namespace }).catch(() => undefined);
  }

  async #follow(): Promise<void> {
    const { namespace } = this.#options;
    while (!this.#closed) {
      try {
        await this.#followOnce(namespace);
      } catch (error) {
        if (this.#closed) return;
        console.error('the kubelet of the tests asks again:', error);
        await sleep(200);
      }
    }
  }

  /** Until the watch ends; rejects when the API server does not answer. */
  async #followOnce(namespace: string): Promise<void> {
    const { items, metadata } = await this.core.listNamespacedPod({ namespace });
    for (const pod of items) this.#see(pod);
    await new Promise<void>((resolve, reject) => {
      new Watch(this.#config)
        .watch(
          `/api/v1/namespaces/${namespace}/pods`,
          { resourceVersion: metadata?.resourceVersion },
          (type: string, pod: k8s.V1Pod) => {
            if (type === 'ADDED' || type === 'MODIFIED') this.#see(pod);
          },
          () => resolve(),
        )
        .then((stop) => (this.#stop = stop))
        .catch(reject);
    });
  }

  #find(taskId: string): RunningPod {
    const found = [...this.#pods.values()].find((one) => taskOf(one.pod) === taskId && !one.ended);
    if (found === undefined) throw new Error(`no pod runs for task ${taskId}`);
    return found;
  }

  #see(pod: k8s.V1Pod): void {
    const { uid = '', deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata ?? {};
    if (pod.spec?.nodeName === undefined) return;
    let one = this.#pods.get(uid);
    if (one === undefined) {
      one = {
        pod,
        folder: mkdtempSync(join(tmpdir(), 'millrace-pod-')),
        child: undefined,
        forced: undefined,
        ended: false,
      };
      this.#pods.set(uid, one);
      if (deletionTimestamp === undefined) {
        void this.#begin(one).catch((error: unknown) => {
          if (!this.#closed) console.error('kubelet:', error);
        });
      }
    }
    if (deletionTimestamp === undefined) return;
    if (one.child === undefined || one.ended) void this.#remove(one);
    else {
      kill(one, 'SIGTERM');
      setTimeout(() => kill(one, 'SIGKILL'), deletionGracePeriodSeconds * 1_000).unref();
    }
  }

  async #begin(one: RunningPod): Promise<void> {
    const { pod, folder } = one;
    const [container] = pod.spec?.containers ?? [];
    if (container === undefined) return;
    if (!this.#options.images.includes(container.image ?? '')) {
      const message = `Back-off pulling image "${container.image}": not found`;
      await this.#status(one, 'Pending', { waiting: { reason: 'ErrImagePull', message: 'not found' } });
      await this.#status(one, 'Pending', { waiting: { reason: 'ImagePullBackOff', message } });
      return;
    }
    const environment = await this.#environment(one, container);
    if (environment === undefined) return;
    const mounts = await this.#mounts(one, container);
    await this.#publishName(pod);
    const outcome = container.terminationMessagePath ?? '/dev/termination-log';
    writeFileSync(join(folder, 'outcome'), '');
    const script = [
      'mount -t tmpfs none /run',
      `mount --bind '${this.#hosts}' /etc/hosts`,
      ...[...mounts, [join(folder, 'outcome'), outcome] as const].flatMap(([from, to]) => [
        from.endsWith('/outcome') ? `touch '${to}'` : `mkdir -p '${to}'`,
        `mount --bind '${from}' '${to}'`,
      ]),
      `cd '${container.workingDir ?? '/'}'`,
      'exec "$@"',
    ].join(' && ');
    const command = [...(container.command ?? []), ...(container.args ?? [])];
    one.child = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, 'pod', ...command], {
      env: { PATH: `${this.#bin}:${process.env['PATH']}`, HOME: folder, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [one.child.stdout, one.child.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const startedAt = new Date();
    const exited = new Promise<number>((resolve) =>
      one.child?.once('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143))),
    );
    await this.#status(one, 'Running', { running: { startedAt } });
    const exitCode = await exited;
    one.ended = true;
    if (output !== '' && process.env['MILLRACE_TEST_PODS'] !== undefined) console.error(`pod: ${output}`);
    const { forced } = one;
    const ended = forced?.container ?? { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' };
    const message = readFileSync(join(folder, 'outcome'), 'utf8').slice(0, 4_096);
    const phase = ended.exitCode === 0 && forced === undefined ? 'Succeeded' : 'Failed';
    await this.#status(one, phase, { terminated: { ...ended, message, startedAt, finishedAt: new Date() } });
    const { metadata } = await this.core
      .readNamespacedPod({ name: pod.metadata?.name ?? '', namespace: this.#options.namespace })
      .catch(() => ({ metadata: undefined }));
    if (metadata?.deletionTimestamp !== undefined) await this.#remove(one);
  }

  /** A pod has a name when a headless service of its subdomain selects it; all pods of the tests have one address. */
  async #publishName({ metadata, spec }: k8s.V1Pod): Promise<void> {
    const { namespace } = this.#options;
    const { hostname, subdomain = '' } = spec ?? {};
    if (hostname === undefined) return;
    const service = await this.core.readNamespacedService({ name: subdomain, namespace }).catch(() => undefined);
    const selector = Object.entries(service?.spec?.selector ?? {});
    const selects = selector.length > 0 && selector.every(([name, value]) => metadata?.labels?.[name] === value);
    if (service?.spec?.clusterIP === 'None' && selects)
      appendFileSync(this.#hosts, `127.0.0.1 ${hostname}.${subdomain}.${namespace}\n`);
  }

  /** Undefined when a secret is missing, which the status says. */
  async #environment(one: RunningPod, container: k8s.V1Container): Promise<Record<string, string> | undefined> {
    const values: Record<string, string> = {};
    for (const { name, value, valueFrom } of container.env ?? []) {
      const ref = valueFrom?.secretKeyRef;
      if (ref === undefined) values[name] = value ?? '';
      else {
        const secret = await this.core
          .readNamespacedSecret({ name: ref.name ?? '', namespace: this.#options.namespace })
          .catch(() => undefined);
        const found = secret?.data?.[ref.key];
        if (found === undefined) {
          const message =
            secret === undefined ? `secret "${ref.name}" not found` : `couldn't find key ${ref.key} in Secret`;
          await this.#status(one, 'Pending', { waiting: { reason: 'CreateContainerConfigError', message } });
          return undefined;
        }
        values[name] = Buffer.from(found, 'base64').toString('utf8');
      }
    }
    return values;
  }

  /** Folders of this machine, with where they are in the pod. */
  async #mounts(one: RunningPod, container: k8s.V1Container): Promise<readonly (readonly [string, string])[]> {
    const { pod, folder } = one;
    const { name = '', uid = '' } = pod.metadata ?? {};
    const mounts: [string, string][] = [];
    for (const { name: volumeName, mountPath } of container.volumeMounts ?? []) {
      const volume = pod.spec?.volumes?.find((candidate) => candidate.name === volumeName);
      const from = join(folder, volumeName);
      mkdirSync(from);
      for (const { serviceAccountToken: asked } of volume?.projected?.sources ?? []) {
        if (asked === undefined) continue;
        const { status } = await this.core.createNamespacedServiceAccountToken({
          namespace: this.#options.namespace,
          name: pod.spec?.serviceAccountName ?? 'default',
          body: {
            spec: {
              audiences: [asked.audience ?? ''],
              expirationSeconds: asked.expirationSeconds ?? 3_600,
              boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
            },
          },
        });
        writeFileSync(join(from, asked.path), status?.token ?? '');
      }
      mounts.push([from, mountPath]);
    }
    return mounts;
  }

  async #status(one: RunningPod, phase: string, state: k8s.V1ContainerState): Promise<void> {
    const [container] = one.pod.spec?.containers ?? [];
    const { reason, message } = one.forced?.pod ?? {};
    const status: k8s.V1PodStatus = {
      phase,
      containerStatuses: [
        {
          name: container?.name ?? '',
          image: container?.image ?? '',
          imageID: '',
          restartCount: 0,
          ready: state.running !== undefined,
          state,
        },
      ],
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    };
    await this.core
      .patchNamespacedPodStatus(
        { name: one.pod.metadata?.name ?? '', namespace: this.#options.namespace, body: { status } },
        setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
      )
      .catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 404)) throw error;
      });
  }

  async #remove({ pod }: RunningPod): Promise<void> {
    const { name = '', uid = '' } = pod.metadata ?? {};
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    await this.core.deleteNamespacedPod({ name, namespace: this.#options.namespace, body }).catch(() => undefined);
  }
}

function taskOf(pod: k8s.V1Pod): string | undefined {
  return pod.metadata?.labels?.['millrace.dev/task'];
}

function kill({ child }: RunningPod, signal: NodeJS.Signals): void {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    // what it started too, as for a container
    process.kill(signal === 'SIGTERM' ? child.pid : -child.pid, signal);
  } catch {
    // it has ended in this moment
  }
}
