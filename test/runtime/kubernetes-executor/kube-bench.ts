import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { createKubernetesExecutor } from '../../../runtime/adapters/kubernetes-executor/kubernetes-executor.ts';
import type { KubernetesExecutorOptions } from '../../../runtime/adapters/kubernetes-executor/kubernetes-options.ts';
import type { TaskExecutor } from '../../../runtime/ports/index.ts';
import { type Bench, logBytesMax } from '../../conformance/task-executor/suite.ts';
import { Kubelet } from './kubelet.ts';

/** A namespace of its own with a kubelet, and executors in it. */
export interface KubeBench {
  readonly kubelet: Kubelet;
  readonly namespace: string;
  readonly bench: Omit<Bench, 'executor'>;
  /** Warnings of all executors. */
  readonly warnings: string[];
  /** Folder of the blobs. */
  readonly blobDirectory: string;
  options(more?: Partial<KubernetesExecutorOptions>): Omit<KubernetesExecutorOptions, 'blobs' | 'warn'>;
  executor(more?: Partial<KubernetesExecutorOptions>): Promise<TaskExecutor>;
  close(): Promise<void>;
}

export async function openKubeBench(kubeconfig: string, existing?: string): Promise<KubeBench> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-kube-'));
  const namespace = existing ?? `test-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
  const kubelet = new Kubelet({ kubeconfig, namespace, images: ['millrace:test', 'own:1'] });
  await kubelet.start();
  const blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs') });
  const { code } = await bundleFlow(join(import.meta.dirname, '../../conformance/task-executor/steps.ts'));
  const { hash } = await blobs.put(code);
  const warnings: string[] = [];
  const opened: TaskExecutor[] = [];
  let workers = 0;
  const options: KubeBench['options'] = (more = {}) => ({
    kubeconfig,
    namespace,
    serviceAccount: 'millrace-step',
    image: 'millrace:test',
    worker: `worker-${++workers}`,
    compute: 'kubernetes',
    nodeSelector: {},
    tolerations: [],
    gpuResource: 'nvidia.com/gpu',
    memoryMb: 300,
    logBytesMax,
    pendingMs: 60_000,
    ttlSeconds: 60,
    slots: 2,
    doorHost: '127.0.0.1',
    doorPort: 0,
    doorUrl: '',
    ...more,
  });
  return {
    kubelet,
    namespace,
    bench: { blobs, bundleHash: hash, patienceMs: 40_000 },
    warnings,
    blobDirectory: join(directory, 'blobs'),
    options,
    executor: async (more = {}) => {
      const warn = (facts: object, message: string): void => void warnings.push(`${message} ${JSON.stringify(facts)}`);
      const executor = await createKubernetesExecutor({ ...options(more), blobs, warn });
      opened.push(executor);
      return executor;
    },
    close: async () => {
      await Promise.all(opened.map((executor) => executor.close()));
      await kubelet.close();
      await blobs.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
