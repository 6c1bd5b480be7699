import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type BlobStore, MillraceError } from '../../runtime/ports/index.ts';

/**
 * Sends a blob piece by piece, whatever its size. Its last piece is sent when the hash is known to match, so that a damaged blob ends as a
 * connection that breaks off. NOT_FOUND, as an error answer, for one that is not there.
 */
export async function sendBlob(reply: FastifyReply, blobs: BlobStore, hash: string): Promise<FastifyReply> {
  const found = await blobs.stat(hash);
  if (found === undefined) throw new MillraceError('NOT_FOUND', `there is no blob '${hash}'`);
  return await reply.header('content-length', found.sizeBytes).send(Readable.from(lastAtTheEnd(blobs.stream(hash))));
}

async function* lastAtTheEnd(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const piece of pieces) {
    if (held !== undefined) yield held;
    held = piece;
  }
  if (held !== undefined) yield held;
}
