/**
 * Several encoded values in one blob: u32 big-endian length of a JSON list of `[codec, bytes]`, the list, then the bytes of each value
 * one after the other. One value can be cut out without reading the others.
 */
import { hash } from 'node:crypto';
import type { EncodedValue } from './artifact-value.ts';

export interface PackedValue {
  readonly codec: string;
  /** From the start of the pack. */
  readonly start: number;
  readonly length: number;
}

export function encodePack(values: readonly EncodedValue[]): Buffer {
  const list = Buffer.from(JSON.stringify(values.map(({ codec, bytes }) => [codec, bytes.length])));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(list.length);
  return Buffer.concat([head, list, ...values.map(({ bytes }) => bytes)]);
}

/** Bytes of a value's digest. */
export const digestBytes = 16;

/** What tells values apart without reading them: {@link digestBytes} of the sha256 of codec and content of each, one after the other. */
export function digestsOf(values: readonly EncodedValue[]): Buffer {
  return Buffer.concat(
    values.map(({ codec, bytes }) => {
      const content = Buffer.concat([Buffer.from(`${codec}\u0000`), bytes]);
      return hash('sha256', content, 'buffer').subarray(0, digestBytes);
    }),
  );
}

/** Throws on bytes that are no pack. */
export function valuesOfPack(pack: Uint8Array): readonly PackedValue[] {
  const buffer = Buffer.from(pack.buffer, pack.byteOffset, pack.length);
  const listLength = buffer.readUInt32BE(0);
  const list = JSON.parse(buffer.toString('utf8', 4, 4 + listLength)) as readonly (readonly [string, number])[];
  let start = 4 + listLength;
  const values = list.map(([codec, length]) => {
    const value = { codec, start, length };
    start += length;
    return value;
  });
  if (start > buffer.length) throw new RangeError('a value lies beyond the end of its pack');
  return values;
}
