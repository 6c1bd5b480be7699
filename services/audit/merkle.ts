/**
 * The Merkle tree of RFC 6962, section 2.1: leaf = sha256(0x00 ‖ entry), node = sha256(0x01 ‖ left ‖ right), the left side of n entries
 * takes the largest power of two below n. So one can prove that a record is in a sealed file without showing the others.
 */
import { createHash } from 'node:crypto';

/** @param entries at least one, of any length. Answers lower-case hex. */
export function merkleRoot(entries: readonly Uint8Array[]): string {
  return subtree(entries, 0, entries.length).toString('hex');
}

function subtree(entries: readonly Uint8Array[], from: number, to: number): Buffer {
  if (to - from === 1) return leaf(entries[from] as Uint8Array);
  const middle = from + leftSize(to - from);
  return node(subtree(entries, from, middle), subtree(entries, middle, to));
}

/** Largest power of two below `size`. */
const leftSize = (size: number): number => 2 ** Math.floor(Math.log2(size - 1));

const leaf = (entry: Uint8Array): Buffer => createHash('sha256').update(Buffer.of(0)).update(entry).digest();

const node = (left: Uint8Array, right: Uint8Array): Buffer =>
  createHash('sha256').update(Buffer.of(1)).update(left).update(right).digest();
