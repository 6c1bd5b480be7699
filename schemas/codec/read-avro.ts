import type avro from 'avsc';
import { sharedText } from './shared-text.ts';

const scratchBytes = 16 * 1024;

/**
 * The library's readers get one buffer, into which the bytes are copied: there is no view to make for each value, its readers see
 * objects of one shape only, and they take texts from it through `utf8Slice`, which is ours here.
 */
const bytes = Buffer.alloc(scratchBytes);
const scratch = Object.assign(Buffer.from(bytes.buffer, bytes.byteOffset, scratchBytes), {
  utf8Slice: (from: number, to: number): string => sharedText(bytes, from, to),
});

/** Decodes the bytes of `value` behind `from`. Throws when they end too early or too late. */
export function readAvro(
  type: avro.Type,
  value: Uint8Array,
  from: number,
  resolver?: ReturnType<avro.Type['createResolver']>,
): unknown {
  const end = value.length;
  if (end > scratchBytes)
    return type.fromBuffer(Buffer.from(value.buffer, value.byteOffset + from, end - from), resolver) as unknown;
  scratch.set(value);
  const decoded = type.decode(scratch, from, resolver);
  // Behind the end lie bytes of earlier values: what was read of them is thrown away.
  if (decoded.offset > end || decoded.offset < 0) throw new Error('truncated buffer');
  if (decoded.offset < end) throw new Error('trailing data');
  return decoded.value as unknown;
}
