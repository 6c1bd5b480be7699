import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { messageOf } from '../../../ports/errors.ts';
import { userFailure } from './program-failure.ts';

/** Fetches each address into its file, never holding a whole one in memory. */
export async function fetchAll(downloads: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
  for (const [path, address] of Object.entries(downloads)) {
    mkdirSync(dirname(path), { recursive: true });
    const response = await fetch(address, { signal }).catch((error: unknown) => {
      throw userFailure(`${address} could not be fetched: ${messageOf(error)}`);
    });
    if (!response.ok || response.body === null)
      throw userFailure(`${address} could not be fetched: the server answered ${response.status}`);
    await pipeline(Readable.fromWeb(response.body as ReadableStream<Uint8Array>), createWriteStream(path));
  }
}
