/**
 * The platform as JavaScript, made once for a test that starts it many times: a process that loads TypeScript needs three times the
 * time to start, and what is published is JavaScript.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
const rooms = [
  'schemas',
  'topologies',
  'statistics',
  'runtime',
  'services',
  'sdk',
  'cli',
  'test/journeys',
  'test/services',
];

export interface Compiled {
  /** Of a source file, by its address: that of its JavaScript. */
  fileOf(source: URL): string;
  remove(): void;
}

export async function compilePlatform(): Promise<Compiled> {
  // Below the packages that it needs.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const outdir = mkdtempSync(join(cache, 'millrace-compiled-'));
  const entryPoints = rooms.flatMap((room) =>
    (readdirSync(join(root, room), { recursive: true }) as string[])
      .filter((file) => file.endsWith('.ts') && !/\.(test|d)\.ts$/.test(file))
      .map((file) => join(root, room, file)),
  );
  const options = { bundle: false, format: 'esm', platform: 'node', target: 'node20', logLevel: 'error' } as const;
  const { outputFiles } = await build({ ...options, entryPoints, outdir, outbase: root, write: false });
  for (const { path, text } of outputFiles) {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text.replace(/(\b(?:from|import)\s*\(?\s*)(["'])(\.[^"'\n]*)\.ts\2/g, '$1$2$3.js$2'));
  }
  copyFileSync(join(root, 'package.json'), join(outdir, 'package.json'));
  const remove = (): void => rmSync(outdir, { recursive: true, force: true });
  return {
    fileOf: (source) => join(outdir, relative(root, fileURLToPath(source)).replace(/\.ts$/, '.js')),
    remove,
  };
}
