import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openS3BlobStore } from '../../../runtime/adapters/blobs/s3-blob-store.ts';
import { sweepUploads } from '../../../runtime/adapters/blobs/s3-sweep.ts';
import { expectCode, inPieces, listed, patterned } from '../../conformance/blob-store/blob-store-builders.ts';
import { compiledFile } from '../../compiled.ts';
import { blobStoreConformance } from '../../conformance/blob-store/index.ts';
import { killWhilePutting } from '../../conformance/blob-store/kill-child.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { createS3Harness, TestBucket } from './s3-harness.ts';

const s3 = serviceAddress('MILLRACE_TEST_S3_URL', 's3-up.sh');

describe.skipIf(s3.missing)('with an S3 server', () => {
  blobStoreConformance('s3', () => createS3Harness(s3.address));
});

describe.skipIf(s3.missing)('the S3 blob store', () => {
  let bucket: TestBucket;
  beforeEach(() => {
    bucket = new TestBucket(s3.address);
  });
  afterEach(() => bucket.remove());

  it('makes its bucket, and finds it made by another', async () => {
    const stores = await Promise.all([openS3BlobStore(bucket.options), openS3BlobStore(bucket.options)]);
    const { hash } = await stores[0].put(Buffer.from('shared'));
    expect((await stores[1].get(hash)).toString()).toBe('shared');
  });

  it('says what is wrong with the access key', async () => {
    const store = await openS3BlobStore(bucket.options);
    await store.close();
    const credentials = { accessKeyId: 'millrace', secretAccessKey: 'wrong' };
    const refused = openS3BlobStore({ ...bucket.options, credentials });
    await expectCode(refused, 'INVALID_CONFIGURATION');
  });

  it('says that a server is not there', async () => {
    await openS3BlobStore(bucket.options);
    await expectCode(openS3BlobStore({ ...bucket.options, endpoint: 'http://127.0.0.1:1' }), 'UNAVAILABLE');
  });

  it('leaves nothing but the blob behind a long stream', async () => {
    const store = await openS3BlobStore(bucket.options);
    const { hash } = await store.put(inPieces(patterned(20 * 1024 * 1024), 1_000_000));
    expect(await bucket.keys()).toEqual([bucket.keyOf(hash).Key]);
    expect(await bucket.uploads()).toEqual([]);
  });

  it('removes the uploads that killed processes left, once they are old', async () => {
    const store = await openS3BlobStore(bucket.options);
    const module = compiledFile(new URL('../../../runtime/adapters/blobs/s3-blob-store.ts', import.meta.url));
    await killWhilePutting({ module, open: 'openS3BlobStore', options: bucket.options }, 20 * 1024 * 1024);
    expect(await bucket.uploads()).toHaveLength(1);
    await openS3BlobStore(bucket.options);
    expect(await bucket.uploads()).toHaveLength(1);
    await sweepUploads(bucket.client, bucket.options.bucket, `${bucket.options.prefix}parts/`, 0);
    expect(await bucket.uploads()).toEqual([]);
    expect(await listed(store)).toEqual([]);
  });
});
