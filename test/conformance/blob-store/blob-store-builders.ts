import { createCipheriv, createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { BlobInfo, BlobStore } from '../../../runtime/ports/blob-store.ts';
import type { ErrorCode } from '../../../runtime/ports/errors.ts';

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
export const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Bytes without a period, so that a piece at the wrong place shows; the same for the same size. */
export function patterned(sizeBytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export async function* inPieces(content: Uint8Array, pieceBytes: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(Uint8Array.from(chunk));
  return Buffer.concat(all);
}

export async function listed(store: BlobStore): Promise<readonly BlobInfo[]> {
  const all: BlobInfo[] = [];
  for await (const page of store.list()) all.push(...page.map(({ hash, sizeBytes }) => ({ hash, sizeBytes })));
  return all;
}

/** When a blob was put last, as the store lists it. */
export async function putAt(store: BlobStore, hash: string): Promise<number> {
  for await (const page of store.list()) {
    const found = page.find((blob) => blob.hash === hash);
    if (found !== undefined) return found.putAtMs;
  }
  return Number.NaN;
}

export async function expectCode(call: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(call).rejects.toMatchObject({ name: 'MillraceError', code });
}
