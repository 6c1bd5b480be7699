import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { moduleForChild, packageRooms } from '../runtime/adapters/child-module.ts';
import { messageOf, MillraceError } from '../runtime/ports/errors.ts';

/** A readable path, or an error that says where it was looked for. */
export function existingFile(file: string): string {
  const path = resolve(file);
  if (existsSync(path)) return path;
  throw new MillraceError('NOT_FOUND', `there is no file ${path}`);
}

/** The default export of a TypeScript or JavaScript file, bundled so that no loader is needed. */
export async function loadDefault(file: string): Promise<unknown> {
  const path = existingFile(file);
  const { outputFiles } = await build({
    entryPoints: [path],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'silent',
    plugins: [ownPackage],
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(pathToFileURL(path).href)});`,
    },
  }).catch((cause: unknown) => {
    throw new MillraceError('INVALID_ARGUMENT', `${path} cannot be bundled: ${messageOf(cause)}`, { cause });
  });
  const code = outputFiles[0]?.text ?? '';
  const module = await loaded(code, path);
  if (module.default === undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${path} has no default export: export the flow or the deployment by default`,
    );
  return module.default;
}

/** From a file of its own: a module in a data URL can locate nothing, and each error would show it whole. */
async function loaded(code: string, path: string): Promise<{ readonly default?: unknown }> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-load-'));
  try {
    const file = join(folder, 'module.mjs');
    await writeFile(file, code);
    return (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', `${path} does not load: ${messageOf(cause)}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `millrace` is the package that runs, as for flows that are run: the file's folder need not have it installed. */
const ownPackage: Plugin = {
  name: 'millrace-own',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^millrace(\/|$)/ }, ({ path }) => {
      const room = packageRooms[path.replace('millrace', '.')];
      return room === undefined ? undefined : { path: moduleForChild(`${room}/index`).url.href, external: true };
    });
  },
};
