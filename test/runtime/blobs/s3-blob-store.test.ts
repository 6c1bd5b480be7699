import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openS3BlobStore } from '../../../runtime/adapters/blobs/s3-blob-store.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';

const hash = 'a'.repeat(64);
const xml = (code: string): string => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>x</Message></Error>`;
const list = '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';

let server: Server;
let store: BlobStore;
/** What is answered to calls for objects, and whether the bucket is there. */
let answer = { body: '', bucket: true };
beforeEach(async () => {
  answer = { body: '', bucket: true };
  server = createServer(({ method, url = '' }, response) => {
    const isObject = url.includes(hash);
    response.statusCode = isObject || !answer.bucket ? 404 : 200;
    response.setHeader('content-type', 'application/xml');
    response.end(method === 'HEAD' ? undefined : isObject ? answer.body : list);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: 'k', secretAccessKey: 's' };
  store = await openS3BlobStore({ endpoint, bucket: 'b', credentials, forcePathStyle: true });
});
afterEach(async () => {
  await store.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const said = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => (error as { code?: string }).code);

it.each([
  ['NoSuchKey', xml('NoSuchKey'), true, 'NOT_FOUND', undefined],
  ['nothing, and the bucket is there', '', true, 'NOT_FOUND', undefined],
  ['NoSuchBucket', xml('NoSuchBucket'), false, 'UNAVAILABLE', 'UNAVAILABLE'],
  ['nothing, as a proxy without its server does', '', false, 'UNAVAILABLE', 'UNAVAILABLE'],
  ['a page of a proxy', '<html><body>not here</body></html>', false, 'UNAVAILABLE', 'UNAVAILABLE'],
])('a 404 with %s is a missing blob only when the server says so', async (_, body, bucket, got, stat) => {
  answer = { body, bucket };
  expect([await said(store.get(hash)), await said(store.stat(hash))]).toEqual([got, stat]);
});
