/**
 * Sources as JavaScript in a folder: every module by itself, and over them, bundled, what is started by its path, as it is published.
 * Run: `npx tsx deploy/package/compile.ts <folder>`; the folder is there when it is whole.
 */
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { bundlePackage, packageEntries } from './bundle.ts';
import rooms from './rooms.json' with { type: 'json' };

const root = fileURLToPath(new URL('../../', import.meta.url));

/** `rooms.json`: rooms whose sources users run. `more` rooms and `programs` beside those that every user has: what a test or a benchmark starts. */
export async function compileInto(
  outdir: string,
  more: readonly string[] = [],
  programs: readonly string[] = [],
): Promise<void> {
  const entryPoints = [...rooms, ...more].flatMap((room) =>
    (readdirSync(join(root, room), { recursive: true }) as string[])
      .filter((file) => file.endsWith('.ts') && !/\.(test|d)\.ts$/.test(file))
      .map((file) => join(root, room, file)),
  );
  const options = { bundle: false, format: 'esm', platform: 'node', target: 'node20', logLevel: 'error' } as const;
  const { outputFiles } = await build({ ...options, entryPoints, outdir, outbase: root, write: false });
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text.replace(/(\b(?:from|import)\s*\(?\s*)(["'])(\.[^"'\n]*)\.ts\2/g, '$1$2$3.js$2'));
  }
  copyFileSync(join(root, 'package.json'), join(outdir, 'package.json'));
  await bundlePackage({ root, outdir, entries: [...packageEntries, 'examples/diamonds/demo', ...programs] });
}

const [, program = '', folder] = process.argv;
if (import.meta.url === pathToFileURL(program).href && folder !== undefined) {
  const half = `${folder}.${process.pid}`;
  await compileInto(half);
  try {
    renameSync(half, folder);
  } catch {
    // somebody else was first
    rmSync(half, { recursive: true, force: true });
  }
}
