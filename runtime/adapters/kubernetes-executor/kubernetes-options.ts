import type { BlobStore } from '../../ports/blob-store.ts';

/** A toleration as Kubernetes writes it. */
export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

/** How Jobs of one worker are made. */
export interface JobSettings {
  readonly namespace: string;
  /** Of pods; it needs no rights. */
  readonly serviceAccount: string;
  /** For steps that name none. It has a `millrace` program on its PATH. */
  readonly image: string;
  /** Who makes them: the name of the worker, which a restart keeps. */
  readonly worker: string;
  /** Compute class that this worker serves, of several the first: of steps that ask for none. */
  readonly compute: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** Resource of the nodes that stands for one GPU. */
  readonly gpuResource: string;
  /** Limit of a step that states none, MiB. */
  readonly memoryMb: number;
  readonly logBytesMax: number;
  /** How long a pod may wait to be placed and begun, milliseconds. */
  readonly pendingMs: number;
  /** How long a Job that is over can be looked at, seconds. */
  readonly ttlSeconds: number;
  /** Where pods reach this worker's door. */
  readonly doorUrl: string;
}

export interface KubernetesExecutorOptions extends Omit<JobSettings, 'doorUrl'> {
  readonly blobs: BlobStore;
  /** A kubeconfig file; '': that of the environment, or of the pod that this runs in. */
  readonly kubeconfig: string;
  readonly slots: number;
  readonly doorHost: string;
  /** 0: any. */
  readonly doorPort: number;
  /** '': the address that the door listens on. */
  readonly doorUrl: string;
  /** How long a running pod may be silent before it counts as gone, milliseconds. @default 60000 */
  readonly silentMs?: number | undefined;
  /** How long the API server may be out of reach while nothing else is heard of a task, milliseconds. @default 300000 */
  readonly unreachableMs?: number | undefined;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}
