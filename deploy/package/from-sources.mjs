/**
 * Runs a program of the sources as what is published runs: compiled and bundled, which is done again when a source has changed. A compiler
 * within the process would make each command take four times as long. Run: `node deploy/package/from-sources.mjs cli/main <words>`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A process that began with an older state of the sources may load from its folder still. */
const kept = 3;

const root = fileURLToPath(new URL('../../', import.meta.url));
const rooms = JSON.parse(readFileSync(join(root, 'deploy/package/rooms.json'), 'utf8'));
const cache = join(root, 'node_modules', '.cache', 'millrace-sources');
const folder = join(cache, stateOfSources());
mkdirSync(cache, { recursive: true });
if (!readdirSync(cache).includes(folder.slice(cache.length + 1))) {
  const compiler = join(root, 'deploy/package/compile.ts');
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', compiler, folder], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  const older = readdirSync(cache).map((name) => ({
    path: join(cache, name),
    atMs: statSync(join(cache, name)).mtimeMs,
  }));
  for (const { path } of older.sort((a, b) => b.atMs - a.atMs).slice(kept))
    rmSync(path, { recursive: true, force: true });
}
const program = join(folder, `${process.argv[2]}.js`);
process.argv.splice(1, 2, program);
await import(pathToFileURL(program).href);

/** Names, sizes and times of the sources and of what they are built with. */
function stateOfSources() {
  const hash = createHash('sha256');
  const add = (path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  };
  for (const path of [
    'package.json',
    ...readdirSync(join(root, 'deploy/package')).map((name) => `deploy/package/${name}`),
  ])
    add(path);
  for (const room of rooms)
    for (const file of readdirSync(join(root, room), { recursive: true }).sort())
      if (file.endsWith('.ts')) add(join(room, file));
  return hash.digest('hex').slice(0, 16);
}
