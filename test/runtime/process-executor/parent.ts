/** A process that runs an endless step and is killed meanwhile: `parent.ts <directory> <bundle hash> <file for the child's pid>`. */
import { join } from 'node:path';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { createProcessExecutor } from '../../../runtime/adapters/process-executor/process-executor.ts';

const [directory = '', bundleHash = '', path = ''] = process.argv.slice(2);
const blobs = await openDirectoryBlobStore({ directory: join(directory, 'blobs') });
const executor = await createProcessExecutor({ blobs, cacheDirectory: join(directory, 'cache'), slots: 1 });
await executor.start({
  runId: 'run-1',
  taskId: 'loops',
  step: 'loops',
  attempt: 1,
  flow: 'conformance',
  bundleHash,
  inputs: [{ branch: '', artifacts: [] }],
  parameters: JSON.stringify({ path }),
  idempotencyKey: 'key-1',
  timeoutMs: 600_000,
}).outcome;
