import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { MillraceError } from '../runtime/ports/errors.ts';

/** A readable path, or an error that says where it was looked for. */
export function existingFile(file: string): string {
  const path = resolve(file);
  if (existsSync(path)) return path;
  throw new MillraceError('NOT_FOUND', `there is no file ${path}`);
}

/** The default export of a TypeScript or JavaScript file, bundled in memory so that no loader is needed. */
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
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(pathToFileURL(path).href)});`,
    },
  }).catch((cause: unknown) => {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${path} cannot be bundled: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  });
  const code = outputFiles[0]?.text ?? '';
  const module = (await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)) as {
    default?: unknown;
  };
  if (module.default === undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${path} has no default export: export the flow or the deployment by default`,
    );
  return module.default;
}
