/** Folders of models by the hash of their listing, as MLflow saved them: fetched once, and known by one atomic rename when whole. */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '../../ports/index.ts';
import { type ModelListing, refuse } from './listing.ts';

export interface ModelFoldersOptions {
  readonly directory: string;
  readonly blobs: BlobStore;
  /** Bytes of one model's files. @default 16 GiB */
  readonly bytesMax?: number | undefined;
}

export class ModelFolders {
  readonly #options: ModelFoldersOptions;

  constructor(options: ModelFoldersOptions) {
    this.#options = options;
  }

  /** The folder with the files of the listing. Rejects with MODEL_REFUSED, or with what the blob store says. */
  async fetch(bytes: Uint8Array, { files }: ModelListing): Promise<string> {
    const { directory, blobs, bytesMax = 16 * 1024 ** 3 } = this.#options;
    const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (total > bytesMax) throw refuse(`its files have ${total} bytes, at most ${bytesMax} are served`);
    const name = createHash('sha256').update(bytes).digest('hex');
    const folder = join(directory, name);
    if (existsSync(folder)) return folder;
    const part = `${folder}.${randomBytes(6).toString('hex')}`;
    try {
      for (const { path, hash } of files) {
        const target = join(part, ...path.split('/'));
        await mkdir(dirname(target), { recursive: true });
        await pipeline(Readable.from(blobs.stream(hash)), createWriteStream(target, { flags: 'wx' }));
      }
      await rename(part, folder);
    } catch (error) {
      await rm(part, { recursive: true, force: true });
      // Another process was first.
      if (!existsSync(folder)) throw error;
    }
    return folder;
  }

  /** Removes what fetches that died have left. */
  async sweep(): Promise<void> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true });
    const names = await readdir(directory);
    await Promise.all(
      names
        .filter((name) => /^[0-9a-f]{64}\.[0-9a-f]{12}$/.test(name))
        .map((name) => rm(join(directory, name), { recursive: true, force: true })),
    );
  }
}
