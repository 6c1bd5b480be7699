/**
 * The platform and its tests as JavaScript, made once for all tests of a run: a process that loads TypeScript takes four times as long
 * to start, and what is published is JavaScript. `globalSetup` of every vitest configuration.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { compileInto } from '../deploy/package/compile.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
/** Programs of tests that run the whole platform. */
const programs = ['test/journeys/victim', 'test/runtime/process-executor/parent'];

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
  const compile = (): Promise<void> => compileInto(folder, ['bench', 'test'], programs);
  await compile();
  return {
    folder,
    compile,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
