import { describe, expect, it } from 'vitest';
import { gather } from '../../../runtime/adapters/blobs/gather.ts';
import { inPieces, patterned } from '../../conformance/blob-store/blob-store-builders.ts';

describe('gathering a stream into pieces', () => {
  const piecesOf = async (chunks: Parameters<typeof gather>[0], sizeBytes: number): Promise<readonly Buffer[]> => {
    const pieces: Buffer[] = [];
    for await (const piece of gather(chunks, sizeBytes)) pieces.push(piece);
    return pieces;
  };

  it.each([
    [1, 10],
    [7, 10],
    [10, 10],
    [33, 10],
    [1000, 10],
    [3, 100],
    [100, 100],
  ])('cuts chunks of %d bytes into pieces of %d, the last one excepted', async (chunkBytes, pieceBytes) => {
    const content = patterned(100);
    const pieces = await piecesOf(inPieces(content, chunkBytes), pieceBytes);
    expect(pieces.map(({ length }) => length)).toEqual(Array.from({ length: 100 / pieceBytes }, () => pieceBytes));
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
  });

  it('ends with what is left over', async () => {
    expect((await piecesOf(inPieces(patterned(25), 8), 10)).map(({ length }) => length)).toEqual([10, 10, 5]);
  });

  it('makes no piece of no bytes', async () => {
    expect(await piecesOf([], 10)).toEqual([]);
    expect(await piecesOf([new Uint8Array(), new Uint8Array()], 10)).toEqual([]);
  });
});
