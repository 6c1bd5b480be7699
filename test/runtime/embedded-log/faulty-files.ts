import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type LogFiles, systemFiles } from '../../../runtime/adapters/embedded-log/log-files.ts';

interface Inode {
  /** What the disk holds for sure. */
  durable: Buffer;
}

/** The real files, with faults on demand and a memory of what a power loss would leave. */
export class FaultyFiles implements LogFiles {
  /** Bytes that may still be written; a write beyond them is cut short, then refused. */
  freeBytes = Infinity;
  /** Longest write. */
  writeBytesMax = Infinity;
  failWrites = false;
  failSyncs = false;
  failTruncates = false;
  syncs = 0;
  readonly #open = new Map<number, { readonly path: string; readonly inode: Inode }>();
  /** Names as the running system sees them, and as the disk has them. Folders have no inode. */
  readonly #names = new Map<string, Inode | 'folder'>();
  #durableNames = new Map<string, Inode | 'folder'>();

  open(path: string, mode: 'read' | 'write'): number {
    const known = this.#names.get(path);
    const file = systemFiles.open(path, mode);
    const inode = known === undefined || known === 'folder' ? { durable: Buffer.alloc(0) } : known;
    this.#names.set(path, inode);
    this.#open.set(file, { path, inode });
    return file;
  }

  close(file: number): void {
    this.#open.delete(file);
    systemFiles.close(file);
  }

  write(file: number, bytes: Uint8Array, from: number, length: number, position: number): number {
    if (this.failWrites) throw systemError('EIO');
    const grows = Math.max(0, position + length - systemFiles.sizeOf(file));
    if (grows > 0 && this.freeBytes <= 0) throw systemError('ENOSPC');
    const allowed = Math.min(
      length,
      this.writeBytesMax,
      grows > this.freeBytes ? length - grows + this.freeBytes : length,
    );
    const written = systemFiles.write(file, bytes, from, allowed, position);
    this.freeBytes -= Math.max(0, grows - (length - written));
    return written;
  }

  read(file: number, bytes: Uint8Array, at: number, length: number, position: number): number {
    return systemFiles.read(file, bytes, at, length, position);
  }

  sizeOf(file: number): number {
    return systemFiles.sizeOf(file);
  }

  truncate(file: number, sizeBytes: number): void {
    if (this.failTruncates) throw systemError('EIO');
    this.freeBytes += Math.max(0, systemFiles.sizeOf(file) - sizeBytes);
    systemFiles.truncate(file, sizeBytes);
  }

  async sync(file: number): Promise<void> {
    await new Promise((done) => setImmediate(done));
    this.syncNow(file);
  }

  syncNow(file: number): void {
    this.syncs++;
    if (this.failSyncs) throw systemError('EIO');
    const open = this.#open.get(file);
    if (open !== undefined) open.inode.durable = readFileSync(open.path);
  }

  list(directory: string): string[] {
    return systemFiles.list(directory);
  }

  makeDirectory(directory: string): void {
    for (let path = resolve(directory); !existsSync(path); path = dirname(path)) this.#names.set(path, 'folder');
    systemFiles.makeDirectory(directory);
  }

  syncDirectory(directory: string): void {
    const folder = resolve(directory);
    for (const path of [...this.#durableNames.keys()]) if (dirname(path) === folder) this.#durableNames.delete(path);
    for (const [path, inode] of this.#names) if (dirname(path) === folder) this.#durableNames.set(path, inode);
  }

  rename(from: string, to: string): void {
    systemFiles.rename(from, to);
    const inode = this.#names.get(from);
    this.#names.delete(from);
    if (inode !== undefined) this.#names.set(to, inode);
  }

  remove(path: string): void {
    this.freeBytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    systemFiles.remove(path);
    this.#names.delete(path);
  }

  /**
   * The power goes: only what was synced is left. With `keep`, parts of the rest may have reached the disk too: it answers, for
   * so many unsynced bytes, which of them did.
   */
  losePower(root: string, keep?: (unsynced: Buffer) => Buffer): void {
    const left = [...this.#durableNames].filter(([path]) => this.#isReachable(path, root));
    const contents = left.map(([path, inode]) => {
      if (inode === 'folder') return undefined;
      const now = existsSync(path) ? readFileSync(path) : inode.durable;
      const grown = now.length > inode.durable.length && now.subarray(0, inode.durable.length).equals(inode.durable);
      if (keep === undefined || !grown) return inode.durable;
      return Buffer.concat([inode.durable, keep(now.subarray(inode.durable.length))]);
    });
    for (const file of this.#open.keys()) systemFiles.close(file);
    this.#open.clear();
    rmSync(root, { recursive: true });
    mkdirSync(root);
    this.#names.clear();
    const survived = new Map<string, Inode | 'folder'>();
    for (const [index, [path, inode]] of left.entries()) {
      const content = contents[index];
      mkdirSync(content === undefined ? path : dirname(path), { recursive: true });
      if (content !== undefined) writeFileSync(path, content);
      const after = inode === 'folder' ? inode : { durable: content ?? Buffer.alloc(0) };
      survived.set(path, after);
      this.#names.set(path, after);
    }
    this.#durableNames = survived;
  }

  /** All folders between the root and the path are on the disk. */
  #isReachable(path: string, root: string): boolean {
    if (!path.startsWith(join(root, '/'))) return false;
    const folder = dirname(path);
    return folder === root || (this.#durableNames.has(folder) && this.#isReachable(folder, root));
  }
}

/** Syncs that do nothing. */
export class FilesWithoutSync extends FaultyFiles {
  override async sync(): Promise<void> {}
}

/** Contents are synced, the names of new files are not. */
export class FilesWithoutNames extends FaultyFiles {
  override syncDirectory(directory: string): void {
    if (!directory.includes('topics')) super.syncDirectory(directory);
  }
}

const systemError = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });
