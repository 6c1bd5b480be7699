import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A module of the platform as another process or thread of it loads it. */
export interface ChildModule {
  readonly url: URL;
  /** It is TypeScript: whoever loads it needs a loader for that. */
  readonly typescript: boolean;
}

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
