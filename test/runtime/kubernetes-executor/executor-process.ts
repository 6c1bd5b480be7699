/** A worker of its own, to be killed: makes the Job of one task and waits for ever. Its options are an argument, JSON. */
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { createKubernetesExecutor } from '../../../runtime/adapters/kubernetes-executor/kubernetes-executor.ts';
import type { KubernetesExecutorOptions } from '../../../runtime/adapters/kubernetes-executor/kubernetes-options.ts';
import type { TaskWork } from '../../../runtime/ports/index.ts';

const { blobs, options, work } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly blobs: string;
  readonly options: Omit<KubernetesExecutorOptions, 'blobs' | 'warn'>;
  readonly work: TaskWork;
};
const executor = await createKubernetesExecutor({
  ...options,
  blobs: await openDirectoryBlobStore({ directory: blobs }),
  warn: () => undefined,
});
executor.start(work);
setInterval(() => undefined, 60_000);
