/**
 * Files in a bundle, so that a worker has exactly the bytes with which the run was started: behind the module lie the contents one after
 * the other, their index as JSON, the lengths of both and a mark. A bundle without files is the module alone.
 */
import { lstat, mkdir, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { MillraceError } from '../../ports/errors.ts';

/** Most bytes of files in a bundle: it is sent as one body. */
export const bundledBytesMax = 15 * 1024 * 1024;

interface Entry {
  readonly path: string;
  readonly sizeBytes: number;
  readonly executable: boolean;
}

export interface OpenedBundle {
  readonly module: Uint8Array;
  /** What {@link unpackFiles} reads; undefined when the bundle has no files. */
  readonly files: Uint8Array | undefined;
}

const mark = Buffer.from('MILLRACE-FILES-1');
const footerBytes = mark.length + 16;
/** What a folder holds that no program needs. */
const leftOut =
  /^(\.git|\.hg|\.svn|node_modules|__pycache__|\.venv|venv|\.millrace|mlruns|mlartifacts|\.ipynb_checkpoints|\.pytest_cache|\.DS_Store)$|\.pyc$/;

/** The bundle of a module and the files at these paths (folders with all that is in them), relative to `root`. */
export async function withFiles(module: Uint8Array, root: string, paths: readonly string[]): Promise<Uint8Array> {
  if (paths.length === 0) return module;
  const found = new Map<string, string>();
  const base = await realpath(root);
  for (const path of paths) await collect(base, path, found, true);
  const index: Entry[] = [];
  const contents: Buffer[] = [];
  let total = 0;
  for (const [path, place] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { mode, size } = await stat(place);
    total += size;
    if (total > bundledBytesMax) throw tooLarge(root, path, total);
    const bytes = await readFile(place);
    index.push({ path, sizeBytes: bytes.length, executable: (mode & 0o111) !== 0 });
    contents.push(bytes);
  }
  const header = Buffer.from(JSON.stringify(index));
  const footer = Buffer.alloc(16);
  const contentBytes = contents.reduce((sum, { length }) => sum + length, 0);
  footer.writeBigUInt64LE(BigInt(contentBytes), 0);
  footer.writeBigUInt64LE(BigInt(header.length), 8);
  return Buffer.concat([module, ...contents, header, footer, mark]);
}

export function openBundle(code: Uint8Array): OpenedBundle {
  const buffer = Buffer.from(code.buffer, code.byteOffset, code.length);
  if (buffer.length < footerBytes || !buffer.subarray(buffer.length - mark.length).equals(mark))
    return { module: code, files: undefined };
  const { contentBytes, headerBytes } = lengths(buffer);
  const start = buffer.length - footerBytes - headerBytes - contentBytes;
  if (start < 0) throw new MillraceError('CORRUPT', 'a bundle says that it holds more files than it has bytes');
  return { module: buffer.subarray(0, start), files: buffer.subarray(start) };
}

/** Writes the files of a bundle below a folder. */
export async function unpackFiles(files: Uint8Array, directory: string): Promise<void> {
  const buffer = Buffer.from(files.buffer, files.byteOffset, files.length);
  const { contentBytes, headerBytes } = lengths(buffer);
  const index = JSON.parse(buffer.toString('utf8', contentBytes, contentBytes + headerBytes)) as readonly Entry[];
  let at = 0;
  for (const { path, sizeBytes, executable } of index) {
    const place = resolve(directory, path);
    if (!place.startsWith(resolve(directory) + sep))
      throw new MillraceError('CORRUPT', `a bundle holds a file '${path}' that lies outside of it`);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, buffer.subarray(at, at + sizeBytes), { mode: executable ? 0o755 : 0o644 });
    at += sizeBytes;
  }
}

function lengths(buffer: Buffer): { readonly contentBytes: number; readonly headerBytes: number } {
  const at = buffer.length - footerBytes;
  return {
    contentBytes: Number(buffer.readBigUInt64LE(at)),
    headerBytes: Number(buffer.readBigUInt64LE(at + 8)),
  };
}

async function collect(base: string, path: string, found: Map<string, string>, named: boolean): Promise<void> {
  const place = resolve(base, path);
  const there = await lstat(place).catch(() => undefined);
  if (there === undefined)
    throw new MillraceError('INVALID_ARGUMENT', `the flow needs '${path}', but there is no such file in ${base}`);
  const real = there.isSymbolicLink() ? await realpath(place) : place;
  if (real !== base && !real.startsWith(base + sep))
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `'${path}' leads to ${real}, which is not below ${base}: copy it there, so that it can travel with the flow`,
    );
  const { isDirectory, isFile } = await stat(real).then((info) => ({
    isDirectory: info.isDirectory(),
    isFile: info.isFile(),
  }));
  const name = relative(base, place).split(sep).join('/');
  if (isFile) found.set(name, real);
  else if (isDirectory && !(there.isSymbolicLink() && !named)) {
    for (const child of await readdir(place)) {
      if (!leftOut.test(child)) await collect(base, join(path, child), found, false);
    }
  }
}

function tooLarge(root: string, path: string, bytes: number): MillraceError {
  return new MillraceError(
    'TOO_LARGE',
    `the files of the flow in ${root} have more than ${bundledBytesMax} bytes (${bytes} with '${path}'): name fewer files, and let a step fetch big data`,
  );
}
