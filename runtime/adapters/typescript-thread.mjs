// Worker threads do not inherit a loader for TypeScript: when the platform runs from source, they start here.
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.module);
