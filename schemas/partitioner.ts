/**
 * Key → partition exactly as Java's Kafka clients do it: murmur2 of the key bytes, sign bit cleared, modulo the number of
 * partitions (org.apache.kafka.common.utils.Utils.murmur2, seed 0x9747b28c). The embedded log and Kafka give the same numbers.
 */
export function partitionOf(key: string | Uint8Array, partitions: number): number {
  return (murmur2(typeof key === 'string' ? bytesOf(key) : key) & 0x7fffffff) % partitions;
}

/** Ids are short and ASCII: written here, into the same bytes again and again. */
function bytesOf(key: string): Uint8Array {
  const { length } = key;
  const bytes = scratch[length];
  if (bytes === undefined) return Buffer.from(key, 'utf8');
  for (let index = 0; index < length; index++) {
    const code = key.charCodeAt(index);
    if (code >= 0x80) return Buffer.from(key, 'utf8');
    bytes[index] = code;
  }
  return bytes;
}

const scratch = Array.from({ length: 80 }, (_, length) => new Uint8Array(length));

/** 32-bit murmur2 as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ length;
  const words = length >> 2;
  for (let i = 0; i < words; i++) {
    const at = i << 2;
    let k = byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const tail = length & ~3;
  const rest = length & 3;
  if (rest === 3) h ^= byte(data, tail + 2) << 16;
  if (rest >= 2) h ^= byte(data, tail + 1) << 8;
  if (rest >= 1) h = Math.imul(h ^ byte(data, tail), m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h | 0;
}

function byte(data: Uint8Array, index: number): number {
  return data[index] ?? 0;
}
