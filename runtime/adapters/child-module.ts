import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** A module of the platform as another process or thread of it loads it. */
export interface ChildModule {
  readonly url: URL;
  /** It is TypeScript: whoever loads it needs a loader for that. */
  readonly typescript: boolean;
}

/** What code of users may import of `millrace`, in a step and in a file that the command line loads, by the room that it is. */
export const packageRooms: Readonly<Record<string, string>> = {
  '.': 'sdk',
  './flow': 'sdk/flow',
  './onnx': 'sdk/onnx',
  './project': 'sdk/project',
  './deployment': 'sdk/deployment',
  './client': 'sdk/client',
  './detectors': 'sdk/detectors',
  './tracking': 'sdk/tracking',
  './statistics': 'statistics',
};

/**
 * `path` is that of the module in the package, without its ending: `services/scorer/score-thread`. Compiled code has compiled children.
 * When the platform runs from its sources, `MILLRACE_COMPILED` may name a folder with the same sources compiled: a process that has to
 * load a compiler first takes four times as long to start.
 */
export function moduleForChild(path: string): ChildModule {
  const here = new URL('../../', import.meta.url);
  if (import.meta.url.endsWith('.js')) return { url: new URL(`${path}.js`, here), typescript: false };
  const compiled = process.env['MILLRACE_COMPILED'];
  if (compiled !== undefined) return { url: pathToFileURL(join(compiled, `${path}.js`)), typescript: false };
  return { url: new URL(`${path}.ts`, here), typescript: true };
}

/** A thread of such a module; `module` of its `workerData` is the address of it. */
export function startThread({ url, typescript }: ChildModule, options: WorkerOptions): Worker {
  const workerData = { ...(options.workerData as object), module: url.href };
  return new Worker(typescript ? new URL('./typescript-thread.mjs', import.meta.url) : url, { ...options, workerData });
}
