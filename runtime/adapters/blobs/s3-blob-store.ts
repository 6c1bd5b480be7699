import { createHash, randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { BlobInfo, BlobStore, ListedBlob } from '../../ports/blob-store.ts';
import { MillraceError } from '../../ports/errors.ts';
import { checkedRange, checkHash, closed, corrupt, notFound, sha256, verified } from './blob-checks.ts';
import { gather } from './gather.ts';
import { isMissing, isUnsatisfiableRange, isUntold404, s3Error } from './s3-errors.ts';
import { sweepUploads } from './s3-sweep.ts';

/** The client's version is pinned: which Node its later ones will need says nothing to who runs this one. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

export interface S3BlobStoreOptions {
  /** Address of the server. @default Amazon's of the region */
  readonly endpoint?: string | undefined;
  /** @default 'us-east-1' */
  readonly region?: string | undefined;
  /** Made when it is absent. */
  readonly bucket: string;
  /** Before every key, such as `acme/`. @default '' */
  readonly prefix?: string | undefined;
  /** @default what the environment gives (variables, files, the machine's role) */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Puts the bucket into the path and not into the host name, as most servers other than Amazon's want it. @default false */
  readonly forcePathStyle?: boolean | undefined;
}

/**
 * BlobStore on S3: `<prefix><ab>/<hash>`. What fits into one part is put at once; a longer stream, whose hash is known only at its
 * end, is uploaded in parts to `<prefix>parts/<id>` and copied by the server to its name, so that no more than one part is held in
 * memory and nothing on a local disk. Blobs are at most 5 GiB, which is what S3 copies in one request.
 * Uploads that were left behind by killed processes are removed on open when they are a day old.
 */
export async function openS3BlobStore(options: S3BlobStoreOptions): Promise<BlobStore> {
  const { endpoint, credentials, region = 'us-east-1', bucket, prefix = '', forcePathStyle = false } = options;
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 60_000 },
  });
  const where = `bucket ${bucket} at ${endpoint ?? `Amazon S3 ${region}`}`;
  try {
    await ensureBucket(client, bucket);
    await sweepUploads(client, bucket, `${prefix}${partsFolder}`);
  } catch (error) {
    client.destroy();
    throw s3Error(where, error);
  }
  return new S3BlobStore(client, bucket, prefix, where);
}

const partsFolder = 'parts/';
/** Bytes of one part: 10,000 of them are more than a blob may have. */
const partBytes = 8 * 1024 * 1024;
const blobBytesMax = 5 * 1024 * 1024 * 1024;
/** A blob of at least this size is looked for before it is sent. */
const headBytesMin = 1024 * 1024;
/** One that was put so long ago is renewed when it is put again. */
const renewAfterMs = 600_000;

class S3BlobStore implements BlobStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #where: string;
  #closed = false;

  constructor(client: S3Client, bucket: string, prefix: string, where: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#where = where;
  }

  async put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    this.#checkOpen();
    if (bytes instanceof Uint8Array) return this.#putBytes(bytes);
    const parts = gather(bytes, partBytes)[Symbol.asyncIterator]();
    try {
      const first = await parts.next();
      if (first.done === true) return await this.#putBytes(Buffer.alloc(0));
      if (first.value.length < partBytes) return await this.#putBytes(first.value);
      return await this.#putParts(first.value, parts);
    } finally {
      await parts.return?.();
    }
  }

  async get(hash: string): Promise<Buffer> {
    const bytes = await this.#read(hash, async () => {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#object(hash)));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    });
    const got = sha256(bytes);
    if (got !== hash) throw corrupt(hash, this.#where, got);
    return bytes;
  }

  getRange(hash: string, start: number, end: number): Promise<Buffer> {
    return this.#read(hash, async () => {
      checkedRange(hash, start, end, Number.MAX_SAFE_INTEGER);
      if (start < end) {
        try {
          const range = { Range: `bytes=${start}-${end - 1}` };
          const { Body } = await this.#client.send(new GetObjectCommand({ ...this.#object(hash), ...range }));
          return Buffer.from((await Body?.transformToByteArray()) ?? []);
        } catch (error) {
          if (!isUnsatisfiableRange(error)) throw error;
        }
      }
      // Nothing is there to read; whether the start lies beyond the end, the size tells.
      const { ContentLength } = await this.#client.send(new HeadObjectCommand(this.#object(hash)));
      checkedRange(hash, start, end, ContentLength ?? 0);
      return Buffer.alloc(0);
    });
  }

  async *stream(hash: string): AsyncGenerator<Uint8Array, void, undefined> {
    const body = await this.#read(hash, async () => {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#object(hash)));
      return Body as AsyncIterable<Uint8Array> | undefined;
    });
    try {
      yield* verified(hash, this.#where, body ?? gather([], partBytes));
    } catch (error) {
      throw s3Error(this.#where, error);
    }
  }

  stat(hash: string): Promise<BlobInfo | undefined> {
    return this.#read(hash, () => this.#stat(hash));
  }

  async *list(): AsyncGenerator<readonly ListedBlob[], void, undefined> {
    this.#checkOpen();
    try {
      const pages = paginateListObjectsV2({ client: this.#client }, { Bucket: this.#bucket, Prefix: this.#prefix });
      for await (const { Contents = [] } of pages) {
        const blobs = Contents.flatMap(({ Key = '', Size = 0, LastModified }) => {
          const [, hash] = blobKeyPattern.exec(Key.slice(this.#prefix.length)) ?? [];
          return hash === undefined
            ? []
            : [{ hash, sizeBytes: Size, putAtMs: LastModified?.getTime() ?? Number.POSITIVE_INFINITY }];
        });
        if (blobs.length > 0) yield blobs;
      }
    } catch (error) {
      throw s3Error(this.#where, error);
    }
  }

  async delete(hash: string): Promise<void> {
    await this.#read(hash, async () => {
      await this.#client.send(new DeleteObjectCommand(this.#object(hash))).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    });
  }

  async deleteOld(hash: string, putBeforeMs: number): Promise<boolean> {
    const found = await this.#read(hash, () => this.#head(hash));
    if (found === undefined) return true;
    if (found.putAtMs >= putBeforeMs) return false;
    await this.delete(hash);
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#client.destroy();
  }

  async #putBytes(bytes: Uint8Array): Promise<BlobInfo> {
    const hash = sha256(bytes);
    const sizeBytes = bytes.length;
    if (sizeBytes > blobBytesMax) throw tooLarge();
    try {
      const present = sizeBytes < headBytesMin ? undefined : await this.#head(hash);
      if (present?.sizeBytes !== sizeBytes || !(await this.#isRenewed(hash, present.putAtMs))) {
        // The server compares the checksum with what arrived.
        const ChecksumSHA256 = Buffer.from(hash, 'hex').toString('base64');
        await this.#client.send(
          new PutObjectCommand({ ...this.#object(hash), Body: Buffer.from(bytes), ChecksumSHA256 }),
        );
      }
      return { hash, sizeBytes };
    } catch (error) {
      throw s3Error(this.#where, error);
    }
  }

  async #putParts(first: Buffer, rest: AsyncIterator<Buffer>): Promise<BlobInfo> {
    const upload = { Bucket: this.#bucket, Key: `${this.#prefix}${partsFolder}${randomUUID()}` };
    const { UploadId } = await this.#send(() => this.#client.send(new CreateMultipartUploadCommand(upload)));
    try {
      const digest = createHash('sha256');
      const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
      let sizeBytes = 0;
      for (let part: Buffer | undefined = first; part !== undefined; ) {
        digest.update(part);
        sizeBytes += part.length;
        if (sizeBytes > blobBytesMax) throw tooLarge();
        const command = new UploadPartCommand({ ...upload, UploadId, PartNumber: Parts.length + 1, Body: part });
        const { ETag } = await this.#send(() => this.#client.send(command));
        Parts.push({ PartNumber: Parts.length + 1, ETag });
        const next: IteratorResult<Buffer, unknown> = await rest.next();
        part = next.done === true ? undefined : next.value;
      }
      const complete = new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } });
      await this.#send(() => this.#client.send(complete));
      return await this.#moveIntoPlace(upload.Key, { hash: digest.digest('hex'), sizeBytes });
    } catch (error) {
      await this.#client.send(new AbortMultipartUploadCommand({ ...upload, UploadId })).catch(() => {});
      throw error;
    }
  }

  async #moveIntoPlace(key: string, { hash, sizeBytes }: BlobInfo): Promise<BlobInfo> {
    const CopySource = `${this.#bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
    try {
      await this.#send(() => this.#client.send(new CopyObjectCommand({ ...this.#object(hash), CopySource })));
    } finally {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })).catch(() => {}); // else swept later
    }
    return { hash, sizeBytes };
  }

  /** A blob that is there already counts as put now. False when it is gone. */
  async #isRenewed(hash: string, putAtMs: number): Promise<boolean> {
    if (putAtMs > Date.now() - renewAfterMs) return true;
    const { Bucket, Key } = this.#object(hash);
    try {
      const CopySource = `${Bucket}/${Key.split('/').map(encodeURIComponent).join('/')}`;
      // an object is copied onto itself only if something of it changes
      const MetadataDirective = 'REPLACE' as const;
      await this.#client.send(new CopyObjectCommand({ Bucket, Key, CopySource, MetadataDirective }));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #stat(hash: string): Promise<BlobInfo | undefined> {
    const found = await this.#head(hash);
    return found === undefined ? undefined : { hash, sizeBytes: found.sizeBytes };
  }

  async #head(hash: string): Promise<ListedBlob | undefined> {
    try {
      const { ContentLength = 0, LastModified } = await this.#client.send(new HeadObjectCommand(this.#object(hash)));
      return { hash, sizeBytes: ContentLength, putAtMs: LastModified?.getTime() ?? Number.POSITIVE_INFINITY };
    } catch (error) {
      if (await this.#isMissing(error)) return undefined;
      throw error;
    }
  }

  /** An object is missing when the server says just that, or says 404 while the bucket is there. */
  async #isMissing(error: unknown): Promise<boolean> {
    if (!isUntold404(error)) return isMissing(error);
    return await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket })).then(
      () => true,
      () => false,
    );
  }

  async #read<T>(hash: string, read: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    checkHash(hash);
    try {
      return await read();
    } catch (error) {
      throw (await this.#isMissing(error)) ? notFound(hash, this.#where) : s3Error(this.#where, error);
    }
  }

  async #send<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw s3Error(this.#where, error);
    }
  }

  #object(hash: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${hash.slice(0, 2)}/${hash}` };
  }

  #checkOpen(): void {
    if (this.#closed) throw closed();
  }
}

const blobKeyPattern = /^[0-9a-f]{2}\/([0-9a-f]{64})$/;

async function ensureBucket(client: S3Client, bucket: string): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!isUntold404(error)) throw error;
    await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((cause: unknown) => {
      // Another process was faster.
      if (!(cause instanceof Error && /^BucketAlready/.test(cause.name))) throw cause;
    });
  }
}

function tooLarge(): MillraceError {
  return new MillraceError('TOO_LARGE', `A blob on S3 is at most ${blobBytesMax} bytes. Split the artifact.`);
}
