import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import { hasCode } from '../../../runtime/ports/errors.ts';
import { inPieces, listed } from '../../conformance/blob-store/blob-store-builders.ts';

/** Run with a limit of 1 MiB on the size of files: tells in one line of JSON what became of larger blobs. */
const [, , directory = ''] = process.argv;
const store = await openDirectoryBlobStore({ directory });
await store.put(Buffer.from('small'));
const codes: string[] = [];
const large = Buffer.alloc(3 * 1024 * 1024);
for (const content of [large, inPieces(large, 100_000)]) {
  await store
    .put(content)
    .catch((error: unknown) => codes.push(hasCode(error, 'DISK_FULL') ? error.code : String(error)));
}
const blobs = (await listed(store)).length;
const parts = (await readdir(join(directory, 'parts'))).length;
process.stdout.write(`${JSON.stringify({ codes, blobs, parts })}\n`);
