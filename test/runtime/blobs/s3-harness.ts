import { randomBytes } from 'node:crypto';
import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  AbortMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { openS3BlobStore, type S3BlobStoreOptions } from '../../../runtime/adapters/blobs/s3-blob-store.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import type { BlobStoreHarness } from '../../conformance/blob-store/blob-store-harness.ts';
import { killWhilePutting } from '../../conformance/blob-store/kill-child.ts';
import { compiledFile } from '../../compiled.ts';

const adapter = compiledFile(new URL('../../../runtime/adapters/blobs/s3-blob-store.ts', import.meta.url));

/** A bucket of the test's own on the server at `address` (`http://[key:secret@]host:port`), behind the store's back. */
export class TestBucket {
  readonly options: S3BlobStoreOptions;
  readonly client: S3Client;

  constructor(address: string) {
    const { protocol, host, username, password } = new URL(address);
    const credentials = { accessKeyId: username || 'millrace', secretAccessKey: password || 'millrace-secret' };
    const endpoint = `${protocol}//${host}`;
    const bucket = `test-${randomBytes(6).toString('hex')}`;
    this.options = { endpoint, bucket, prefix: 'some/prefix/', credentials, forcePathStyle: true };
    this.client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  }

  keyOf(hash: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.options.bucket, Key: `${this.options.prefix}${hash.slice(0, 2)}/${hash}` };
  }

  async keys(): Promise<readonly string[]> {
    const { Contents = [] } = await this.client.send(new ListObjectsV2Command({ Bucket: this.options.bucket }));
    return Contents.map(({ Key = '' }) => Key);
  }

  async uploads(): Promise<readonly { readonly Key?: string | undefined; readonly UploadId?: string | undefined }[]> {
    return (await this.client.send(new ListMultipartUploadsCommand({ Bucket: this.options.bucket }))).Uploads ?? [];
  }

  async remove(): Promise<void> {
    const Bucket = this.options.bucket;
    for (const { Key, UploadId } of await this.uploads()) {
      await this.client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
    for (const Key of await this.keys()) await this.client.send(new DeleteObjectCommand({ Bucket, Key }));
    await this.client.send(new DeleteBucketCommand({ Bucket }));
    this.client.destroy();
  }
}

export async function createS3Harness(address: string): Promise<BlobStoreHarness> {
  const bucket = new TestBucket(address);
  const stores: BlobStore[] = [await openS3BlobStore(bucket.options)];
  return {
    openStore: async () => {
      const store = await openS3BlobStore(bucket.options);
      stores.push(store);
      return store;
    },
    corrupt: async (hash) => {
      const { Body } = await bucket.client.send(new GetObjectCommand(bucket.keyOf(hash)));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      await bucket.client.send(new PutObjectCommand({ ...bucket.keyOf(hash), Body: bytes }));
    },
    killWhilePutting: (bytesMin) =>
      killWhilePutting({ module: adapter, open: 'openS3BlobStore', options: bucket.options }, bytesMin),
    close: async () => {
      for (const store of stores) await store.close();
      await bucket.remove();
    },
  };
}
