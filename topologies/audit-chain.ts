/**
 * The arithmetic of the audit chain, shared by the fold that writes it and the reader that checks it.
 *
 * h₀ = sha256("millrace audit <topic>/<partition>"); per record h' = sha256(h ‖ sha256(record)). The record's form is, length before each
 * part: offset, time, key, value, headers by name. The two levels let a record be redacted and its digest kept.
 */
import { hash } from 'node:crypto';
import type { RawInput } from '../runtime/engine/topology.ts';

/** Headers of the engine's envelope that matter here. */
export const controlHeader = 'millrace-control';
export const claimHeader = 'millrace-claim';

/** Where the chain of a source partition begins. */
export function chainStart(topic: string, partition: number): string {
  return hash('sha256', `millrace audit ${topic}/${partition}`, 'hex');
}

/** The chain after one more record. */
export function chainNext(previous: string, recordDigest: string): string {
  return hash('sha256', previous + recordDigest, 'hex');
}

/** Digest of one record; `timeMs` is the running maximum of append times. A value that was claimed is covered by the hash in its claim. */
export function recordDigest({ offset, timeMs, keyBytes, valueBytes, headers }: RawInput): string {
  const names = inOrder(headers);
  const coveredValue = headers[claimHeader] === undefined ? valueBytes : null;
  let size = 24 + (keyBytes?.length ?? 0) + (coveredValue?.length ?? 0);
  for (const { name, bytes } of names) size += 8 + bytes.length + (headers[name]?.length ?? 0);
  if (size > scratch.length) scratch = Buffer.allocUnsafe(2 * size);
  scratch.writeDoubleBE(offset, 0);
  scratch.writeDoubleBE(timeMs, 8);
  let end = writePart(coveredValue, writePart(keyBytes, 16));
  for (const { name, bytes } of names) end = writePart(headers[name] ?? null, writePart(bytes, end));
  return hash('sha256', scratch.subarray(0, end), 'hex');
}

let scratch = Buffer.allocUnsafe(16 * 1024);

function writePart(part: Uint8Array | null, at: number): number {
  const end = scratch.writeInt32BE(part === null ? -1 : part.length, at);
  if (part === null) return end;
  scratch.set(part, end);
  return end + part.length;
}

interface HeaderName {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Records of one writer have the same names: their order is found once. Bounded, since outsiders choose names freely. */
const orders = new Map<string, readonly HeaderName[]>();
const ordersMax = 256;

function inOrder(headers: RawInput['headers']): readonly HeaderName[] {
  const names = Object.keys(headers);
  const together = names.join('\n');
  const known = orders.get(together);
  if (known?.length === names.length && known.every(({ name }) => headers[name] !== undefined)) return known;
  const ordered = names.sort().map((name) => ({ name, bytes: Buffer.from(name) }));
  if (orders.size < ordersMax) orders.set(together, ordered);
  return ordered;
}

/** A tick carries nothing; it is chained like every record, but by itself it asks for no link. */
export function isTick({ headers }: RawInput): boolean {
  const control = headers[controlHeader];
  return control !== undefined && Buffer.from(control).toString('latin1') === 'tick';
}
