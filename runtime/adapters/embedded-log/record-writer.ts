import type { OutgoingRecord } from '../../ports/log.ts';
import { encodeName } from './header-names.ts';

/** Bytes of a record that count against the topic's limit: key, value and headers. */
export function recordBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = lengthOf(key) + lengthOf(value);
  for (const name in headers) bytes += encodeName(name).length + lengthOf(headers[name]);
  return bytes;
}

/** At least as many bytes as `writeRecord` needs; cheaper than `recordBytes`. */
export function recordBytesBound({ key, value, headers }: OutgoingRecord): number {
  let bytes = 32 + boundOf(key) + boundOf(value);
  for (const name in headers) bytes += 10 + boundOf(name) + boundOf(headers[name]);
  return bytes;
}

/** Writes a record (layout: `log-record.ts`) at `at`, where there is room; answers where it ends. */
export function writeRecord(target: Buffer, at: number, offsetDelta: number, record: OutgoingRecord): number {
  let end = writeOptional(target, at + 8, record.key);
  end = writeOptional(target, end, record.value);
  const { headers } = record;
  let count = 0;
  for (const _ in headers) count++;
  end = writeVarint(target, end, count);
  for (const name in headers) {
    const nameBytes = encodeName(name);
    end = writeVarint(target, end, nameBytes.length);
    end = writeBytes(target, end, nameBytes);
    const value = headers[name] ?? '';
    end = typeof value === 'string' ? writeText(target, end, value, 0) : writeSized(target, end, value, 0);
  }
  writeUInt32(target, at, end - at - 4);
  writeUInt32(target, at + 4, offsetDelta);
  return end;
}

const lengthOf = (value: Uint8Array | string | null | undefined): number =>
  typeof value === 'string' ? Buffer.byteLength(value, 'utf8') : (value?.length ?? 0);

const boundOf = (value: Uint8Array | string | null | undefined): number =>
  typeof value === 'string' ? 3 * value.length : (value?.length ?? 0);

function writeOptional(target: Buffer, at: number, value: Uint8Array | string | null): number {
  if (value === null) {
    target[at] = 0;
    return at + 1;
  }
  return typeof value === 'string' ? writeText(target, at, value, 1) : writeSized(target, at, value, 1);
}

function writeSized(target: Buffer, at: number, bytes: Uint8Array, plus: 0 | 1): number {
  return writeBytes(target, writeVarint(target, at, bytes.length + plus), bytes);
}

/** Short texts, mostly ASCII ids, are copied here: cheaper than a call out of JavaScript. */
function writeText(target: Buffer, at: number, value: string, plus: 0 | 1): number {
  const { length } = value;
  if (length <= 40) {
    let index = 0;
    for (; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) break;
      target[at + 1 + index] = code;
    }
    if (index === length) {
      target[at] = length + plus;
      return at + 1 + length;
    }
  }
  const from = writeVarint(target, at, Buffer.byteLength(value, 'utf8') + plus);
  return from + target.write(value, from, 'utf8');
}

function writeBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  const { length } = bytes;
  if (length <= 24) for (let index = 0; index < length; index++) target[at + index] = bytes[index] ?? 0;
  else target.set(bytes, at);
  return at + length;
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  target[next] = rest;
  return next + 1;
}

function writeUInt32(target: Buffer, at: number, value: number): void {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
}
