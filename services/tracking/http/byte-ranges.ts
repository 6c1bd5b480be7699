/** Parts of a file, as RFC 9110 (14.1) asks for them: one range; several, or what is not understood, get the whole file. */
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';

/** Bytes `[start, end)`; `all`: the whole file; `none`: the range lies behind its end. */
export function rangeOf(
  header: string | undefined,
  size: number,
): readonly [start: number, end: number] | 'all' | 'none' {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return 'all';
  if (from === '') return to === '0' || size === 0 ? 'none' : [Math.max(0, size - Number(to)), size];
  const start = Number(from);
  if (start >= size) return 'none';
  if (to === '') return [start, size];
  return Number(to) < start ? 'all' : [start, Math.min(size, Number(to) + 1)];
}

const pieceBytes = 4 * 1024 ** 2;

export async function* piecesOf(
  blobs: Pick<BlobStore, 'getRange'>,
  hash: string,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  for (let at = start; at < end; at += pieceBytes) yield await blobs.getRange(hash, at, Math.min(end, at + pieceBytes));
}
