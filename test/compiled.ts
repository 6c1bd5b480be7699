/**
 * The platform and its tests as JavaScript, made once for all tests of a run: a process that loads TypeScript takes four times as long
 * to start, and what is published is JavaScript. `globalSetup` of every vitest configuration.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';
import { bundlePackage, packageEntries } from '../deploy/package/bundle.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
/** Programs of examples and tests that run the whole platform. */
const programs = ['examples/diamonds/demo', 'test/journeys/victim', 'test/runtime/process-executor/parent'];
const rooms = ['schemas', 'topologies', 'statistics', 'runtime', 'services', 'sdk', 'cli', 'examples', 'bench', 'test'];

/** Of a source file, by its address: the path of its JavaScript. */
export function compiledFile(source: URL | string): string {
  const folder = process.env['MILLRACE_COMPILED'];
  if (folder === undefined)
    throw new Error('MILLRACE_COMPILED is not set: tests are run by vitest, which compiles first');
  return join(folder, relative(root, fileURLToPath(source)).replace(/\.ts$/, '.js'));
}

export default async function setup(project: TestProject): Promise<() => void> {
  const { folder, compile, remove } = await compileSources();
  process.env['MILLRACE_COMPILED'] = folder;
  project.onTestsRerun(compile);
  return remove;
}

/** All sources as JavaScript in a folder of their own, for whoever calls. */
export async function compileSources(): Promise<{ folder: string; compile(): Promise<void>; remove(): void }> {
  // Below the packages that it needs.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'millrace-compiled-'));
  await compileInto(folder);
  return {
    folder,
    compile: () => compileInto(folder),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function compileInto(outdir: string): Promise<void> {
  const entryPoints = rooms.flatMap((room) =>
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
  // What is started by its path is as it is published; whatever tests import of the rest stays a module of its own.
  await bundlePackage({ root, outdir, entries: [...packageEntries, ...programs] });
}
