/**
 * Tensors as raw bytes: little-endian, row-major, no padding. BOOL is one byte; each element of BYTES is its length as four bytes and then
 * its UTF-8. Of the binary tensor data extension of the Open Inference Protocol (HTTP) and of its raw contents (gRPC).
 */
import { endianness } from 'node:os';
import { tensorError } from './tensor-errors.ts';
import type { Datatype, TensorData } from '../ports/index.ts';

interface TypedKind {
  readonly bytes: number;
  of(buffer: ArrayBuffer): TensorData;
}

const kinds: Readonly<Partial<Record<Datatype, TypedKind>>> = {
  UINT8: { bytes: 1, of: (buffer) => new Uint8Array(buffer) },
  UINT16: { bytes: 2, of: (buffer) => new Uint16Array(buffer) },
  UINT32: { bytes: 4, of: (buffer) => new Uint32Array(buffer) },
  UINT64: { bytes: 8, of: (buffer) => new BigUint64Array(buffer) },
  INT8: { bytes: 1, of: (buffer) => new Int8Array(buffer) },
  INT16: { bytes: 2, of: (buffer) => new Int16Array(buffer) },
  INT32: { bytes: 4, of: (buffer) => new Int32Array(buffer) },
  INT64: { bytes: 8, of: (buffer) => new BigInt64Array(buffer) },
  FP16: { bytes: 2, of: (buffer) => new Uint16Array(buffer) },
  FP32: { bytes: 4, of: (buffer) => new Float32Array(buffer) },
  FP64: { bytes: 8, of: (buffer) => new Float64Array(buffer) },
};

/** INVALID_ARGUMENT names the tensor, the bytes that its shape needs and those that came. */
export function dataOfBytes(name: string, datatype: Datatype, elements: number, raw: Uint8Array): TensorData {
  if (datatype === 'BYTES') return textsOf(name, elements, raw);
  const kind = kinds[datatype];
  const needed = elements * (kind?.bytes ?? 1);
  if (raw.length !== needed) {
    throw tensorError(name, `${elements} values of ${datatype} are ${needed} bytes, got ${raw.length}`);
  }
  if (kind === undefined) return Array.from(raw, (byte) => byte !== 0);
  // A copy of its own: a view would need the bytes at a multiple of the element's size.
  const copy = new Uint8Array(raw.length);
  copy.set(raw);
  return kind.of(swapped(copy, kind.bytes).buffer as ArrayBuffer);
}

export function bytesOfData(datatype: Datatype, data: TensorData): Uint8Array {
  if (datatype === 'BYTES') return bytesOfTexts(data as readonly string[]);
  if (datatype === 'BOOL') return Uint8Array.from(data as readonly boolean[], Number);
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return endianness() === 'LE' ? bytes : swapped(bytes.slice(), kinds[datatype]?.bytes ?? 1);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 of one element; INVALID_ARGUMENT when it is none. */
export function textOfBytes(name: string, index: number, bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw tensorError(name, `value ${index} must be UTF-8: models take texts, not other bytes`);
  }
}

function textsOf(name: string, elements: number, raw: Uint8Array): readonly string[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (texts.length < elements) {
    const length = at + 4 <= raw.length ? view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (at + 4 + length > raw.length) {
      throw tensorError(name, `its ${raw.length} bytes end inside of value ${texts.length} of ${elements} (BYTES)`);
    }
    texts.push(textOfBytes(name, texts.length, raw.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  if (at !== raw.length)
    throw tensorError(name, `${elements} values of BYTES end after ${at} bytes, got ${raw.length}`);
  return texts;
}

function bytesOfTexts(texts: readonly string[]): Uint8Array {
  const parts: Buffer[] = [];
  for (const text of texts) {
    const length = Buffer.alloc(4);
    const bytes = Buffer.from(text, 'utf8');
    length.writeUInt32LE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}

function swapped(bytes: Uint8Array, size: number): Uint8Array {
  if (endianness() === 'LE' || size === 1) return bytes;
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  return bytes;
}
