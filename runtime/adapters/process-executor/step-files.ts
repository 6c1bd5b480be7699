import { hash as hashOf } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlobInfo, BlobStore } from '../../ports/blob-store.ts';
import { MillraceError } from '../../ports/errors.ts';
import type { ArtifactRef } from '../../ports/task-executor.ts';
import { moduleForChild, packageRooms } from '../child-module.ts';
import { openBundle, unpackFiles } from '../bundler/bundle-files.ts';
import { valuesOfPack, type PackedValue } from '../../../schemas/codec/value-pack.ts';
import {
  bundleFolder,
  type EncodedArtifact,
  type EncodedValueRef,
  type InputArtifact,
  inlineBytesMax,
} from './protocol.ts';

/** Bundles name the packages that they leave outside on their first line. */
export const externalsMark = '// millrace externals: ';

const cachedBytesMax = 256 * 1024 * 1024;
const inlineCachedBytesMax = 32 * 1024 * 1024;
const cachedPacksMax = 16;
/** Artifacts of so few bytes travel with their names and lie in no blob. */
export const storedInlineMax = 1_024;

/** Files that a step still needs: they stay until it is released. */
export type Lease = Set<string>;

/**
 * Files of one executor: bundles to load, artifacts too big to pass along, and a `node_modules` in which `millrace` is this very
 * package. The folder belongs to this process; folders of processes that are gone are removed.
 */
export class StepFiles {
  readonly directory: string;
  readonly outDirectory: string;
  readonly #blobs: BlobStore;
  readonly #bundles = new Map<string, Promise<string>>();
  readonly #files = new Map<string, { readonly sizeBytes: number; readonly ready: Promise<string> }>();
  #fileBytes = 0;
  readonly #inline = new Map<string, Uint8Array>();
  #inlineBytes = 0;
  readonly #leased = new Map<string, number>();
  readonly #packs = new Map<string, Promise<{ readonly bytes: Buffer; readonly values: readonly PackedValue[] }>>();

  private constructor(directory: string, blobs: BlobStore) {
    this.directory = directory;
    this.outDirectory = join(directory, 'out');
    this.#blobs = blobs;
  }

  static async open(parent: string, blobs: BlobStore): Promise<StepFiles> {
    mkdirSync(parent, { recursive: true });
    sweep(parent);
    const files = new StepFiles(resolve(await mkdtemp(join(parent, `${process.pid}-`))), blobs);
    for (const name of ['out', 'bundles', 'artifacts', 'attempts']) mkdirSync(join(files.directory, name));
    linkMillrace(files.directory);
    return files;
  }

  /** The folder of an attempt whose step is a program; it is there only if the child has made it. */
  attemptDirectory(number: number): string {
    return join(this.directory, 'attempts', String(number));
  }

  async removeAttempt(number: number): Promise<void> {
    await rm(this.attemptDirectory(number), { recursive: true, force: true, maxRetries: 3 });
  }

  /** Path of a bundle, loaded from the blob store once. */
  bundle(hash: string): Promise<string> {
    const known = this.#bundles.get(hash);
    if (known !== undefined) return known;
    const writing = this.#blobs.get(hash).then((code) => this.writeBundle(hash, code));
    this.#bundles.set(hash, writing);
    writing.catch(() => this.#bundles.delete(hash));
    return writing;
  }

  /** Writes the module, and the files of the bundle into a folder beside it. */
  async writeBundle(name: string, code: Uint8Array): Promise<string> {
    const { module, files } = openBundle(code);
    linkExternals(this.directory, module);
    const path = join(this.directory, 'bundles', `${name}.mjs`);
    if (files !== undefined) await unpackFiles(files, bundleFolder(path));
    await writeFile(`${path}.part`, module);
    await rename(`${path}.part`, path);
    return path;
  }

  /** Where files of artifacts lie, by hash. */
  get artifactDirectory(): string {
    return join(this.directory, 'artifacts');
  }

  /** An input as the child gets it: small ones as bytes, the others as a file. */
  async input(artifact: ArtifactRef, lease: Lease): Promise<InputArtifact> {
    const { name, hash, sizeBytes, codec, inline = null } = artifact;
    const ref = { name, hash, sizeBytes, codec, ...(inline === null ? {} : { inline }) };
    if (inline !== null) return { name, codec, bytes: inline, ref };
    if (sizeBytes > inlineBytesMax) return { name, codec, path: await this.file(hash, sizeBytes, lease), ref };
    const bytes = this.#inline.get(hash) ?? (await this.#blobs.get(hash));
    this.#remember(hash, bytes);
    return { name, codec, bytes, ref };
  }

  async bytes(hash: string): Promise<Buffer> {
    return await this.#blobs.get(hash);
  }

  /** One value of a pack. */
  async item(pack: string, at: number, lease: Lease): Promise<EncodedValueRef> {
    const { bytes, values } = await this.#pack(pack);
    const value = values[at];
    if (value === undefined) throw new RangeError(`pack ${pack} has ${values.length} values, number ${at} is wanted`);
    const { codec, start, length } = value;
    if (length <= inlineBytesMax) return { codec, bytes: bytes.subarray(start, start + length) };
    return { codec, path: await this.file(pack, bytes.length, lease), slice: { start, length } };
  }

  /** A blob as a file, which stays as long as the lease. */
  async file(hash: string, sizeBytes: number, lease: Lease): Promise<string> {
    if (!lease.has(hash)) this.#leased.set(hash, (this.#leased.get(hash) ?? 0) + 1);
    lease.add(hash);
    return await this.#file(hash, sizeBytes);
  }

  /** A text as a file, which stays as long as the lease. */
  async text(text: string, lease: Lease): Promise<string> {
    const bytes = Buffer.from(text);
    const { hash, sizeBytes } = await this.#blobs.put(bytes);
    return await this.file(hash, sizeBytes, lease);
  }

  release(lease: Lease): void {
    for (const hash of lease) {
      const left = (this.#leased.get(hash) ?? 1) - 1;
      if (left > 0) this.#leased.set(hash, left);
      else this.#leased.delete(hash);
    }
    lease.clear();
  }

  /** Stores what a child left; the bytes are durable when this resolves. */
  async store({ name, codec, bytes, path }: EncodedArtifact, inlineMax = 0): Promise<ArtifactRef> {
    if (bytes !== undefined) {
      if (bytes.length <= inlineMax)
        return {
          name,
          codec,
          hash: hashOf('sha256', bytes, 'hex'),
          sizeBytes: bytes.length,
          inline: Buffer.from(bytes),
        };
      const { hash, sizeBytes } = await this.#put(name, bytes);
      this.#remember(hash, bytes);
      return { name, codec, hash, sizeBytes };
    }
    const left = path ?? '';
    const { createReadStream } = await import('node:fs');
    const { hash, sizeBytes } = await this.#put(name, createReadStream(left, { highWaterMark: 1 << 20 }));
    const kept = this.#artifactPath(hash);
    await rename(left, kept);
    this.#keep(hash, sizeBytes, Promise.resolve(kept));
    return { name, codec, hash, sizeBytes };
  }

  /** What could not be stored is named: a step may return many. */
  async #put(name: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    try {
      return await this.#blobs.put(bytes);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      throw new MillraceError(error.code, `'${name}' could not be stored: ${error.message}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async #file(hash: string, sizeBytes: number): Promise<string> {
    const known = this.#files.get(hash);
    if (known !== undefined) {
      this.#files.delete(hash);
      this.#files.set(hash, known);
      return known.ready;
    }
    const path = this.#artifactPath(hash);
    const ready = (async () => {
      await writeFile(`${path}.part`, this.#blobs.stream(hash));
      await rename(`${path}.part`, path);
      return path;
    })();
    this.#keep(hash, sizeBytes, ready);
    ready.catch(() => {
      if (this.#files.get(hash)?.ready !== ready) return;
      this.#files.delete(hash);
      this.#fileBytes -= sizeBytes;
    });
    return ready;
  }

  #keep(hash: string, sizeBytes: number, ready: Promise<string>): void {
    if (this.#files.has(hash)) return;
    this.#files.set(hash, { sizeBytes, ready });
    this.#fileBytes += sizeBytes;
    for (const [oldest, file] of this.#files) {
      if (this.#fileBytes <= cachedBytesMax || oldest === hash) break;
      if (this.#leased.has(oldest)) continue;
      this.#files.delete(oldest);
      this.#fileBytes -= file.sizeBytes;
      void rm(this.#artifactPath(oldest), { force: true }).catch(() => undefined);
    }
  }

  /** Packs are read by many tasks in a row. */
  #pack(hash: string): Promise<{ readonly bytes: Buffer; readonly values: readonly PackedValue[] }> {
    const known = this.#packs.get(hash);
    if (known !== undefined) return known;
    const reading = this.#blobs.get(hash).then((bytes) => ({ bytes, values: valuesOfPack(bytes) }));
    this.#packs.set(hash, reading);
    reading.catch(() => this.#packs.delete(hash));
    const [oldest] = this.#packs.keys();
    if (this.#packs.size > cachedPacksMax && oldest !== undefined) this.#packs.delete(oldest);
    return reading;
  }

  #remember(hash: string, bytes: Uint8Array): void {
    if (this.#inline.has(hash)) return;
    this.#inline.set(hash, bytes);
    this.#inlineBytes += bytes.length;
    for (const [oldest, known] of this.#inline) {
      if (this.#inlineBytes <= inlineCachedBytesMax) break;
      this.#inline.delete(oldest);
      this.#inlineBytes -= known.length;
    }
  }

  #artifactPath(hash: string): string {
    return join(this.artifactDirectory, hash);
  }
}

/** Folders in which packages are looked for that a bundle leaves outside. */
export function packageFolders(): readonly string[] {
  const here = fileURLToPath(new URL('../../../', import.meta.url));
  const folders: string[] = [];
  for (const start of [process.cwd(), here]) {
    for (let at = resolve(start); ; at = dirname(at)) {
      const folder = join(at, 'node_modules');
      if (existsSync(folder) && !folders.includes(folder)) folders.push(folder);
      if (dirname(at) === at) break;
    }
  }
  return folders;
}

/** `millrace` in a bundle is the package that runs it. */
function linkMillrace(directory: string): void {
  // a scope of its own, or a bundle below a package called millrace would find that one
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}\n');
  const folder = join(directory, 'node_modules', 'millrace');
  mkdirSync(folder, { recursive: true });
  const exports: Record<string, string> = {};
  for (const [name, room] of Object.entries(packageRooms)) {
    const target = moduleForChild(`${room}/index`).url.href;
    const file = `${room.replace('/', '-')}.mjs`;
    writeFileSync(join(folder, file), `export * from ${JSON.stringify(target)};\n`);
    exports[name] = `./${file}`;
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'millrace', type: 'module', exports }));
}

function linkExternals(directory: string, code: Uint8Array): void {
  const [first = ''] = Buffer.from(code.subarray(0, 4_096)).toString('utf8').split('\n');
  if (!first.startsWith(externalsMark)) return;
  const folders = packageFolders();
  for (const name of first.slice(externalsMark.length).split(' ')) {
    if (!/^(@[a-z0-9-~][a-z0-9-._~]*\/)?[a-z0-9-~][a-z0-9-._~]*$/.test(name) || name === 'millrace') continue;
    const link = join(directory, 'node_modules', name);
    const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
    if (found === undefined || existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(found, link, 'dir');
  }
}

function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(pid) || pid === process.pid || isAlive(pid)) continue;
    rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
