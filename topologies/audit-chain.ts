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
  const names = Object.keys(headers).sort();
  const claimed = headers[claimHeader] !== undefined;
  const parts: (Uint8Array | null)[] = [keyBytes, claimed ? null : valueBytes];
  for (const name of names) parts.push(Buffer.from(name), headers[name] ?? null);
  let size = 16;
  for (const part of parts) size += 4 + (part?.length ?? 0);
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeDoubleBE(offset, 0);
  bytes.writeDoubleBE(timeMs, 8);
  let end = 16;
  for (const part of parts) {
    end = bytes.writeInt32BE(part === null ? -1 : part.length, end);
    if (part !== null) {
      bytes.set(part, end);
      end += part.length;
    }
  }
  return hash('sha256', bytes, 'hex');
}

/** A tick carries nothing; it is chained like every record, but by itself it asks for no link. */
export function isTick({ headers }: RawInput): boolean {
  const control = headers[controlHeader];
  return control !== undefined && Buffer.from(control).toString('latin1') === 'tick';
}
