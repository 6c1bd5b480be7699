import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import { patterned } from './blob-store-builders.ts';

/** Run as `node --import tsx put-child.ts <adapter module> <its open function> <options in JSON>`, and killed. */
const [, , module = '', name = '', options = ''] = process.argv;
const adapter: unknown = await import(module);
const open = (adapter as Record<string, (options: unknown) => Promise<BlobStore>>)[name]!;
const store = await open(JSON.parse(options));

/** A stream without end; tells how much of it was taken. */
async function* endless() {
  const chunk = patterned(1024 * 1024);
  for (let taken = 0; ; taken += chunk.length) {
    process.stdout.write(`${taken}\n`);
    yield chunk;
  }
}
await store.put(endless());
