/**
 * Header names repeat in every record. Both directions are remembered, in tables of fixed size: a name that finds no place is
 * encoded or decoded anew each time.
 */
const slots = 512;
const decoded: ({ readonly name: string; readonly bytes: Buffer } | undefined)[] = new Array(slots);
const encoded = new Map<string, Buffer>();

/** The name at `at`, as one string object per name where possible. */
export function internName(bytes: Buffer, at: number, length: number): string {
  let hash = length;
  for (let index = at; index < at + length; index++) hash = (hash * 31 + (bytes[index] ?? 0)) | 0;
  const slot = (hash >>> 0) % slots;
  const known = decoded[slot];
  if (known !== undefined && isSame(known.bytes, bytes, at, length)) return known.name;
  const name = bytes.toString('utf8', at, at + length);
  if (length <= 64) decoded[slot] = { name, bytes: Buffer.from(bytes.subarray(at, at + length)) };
  return name;
}

/** The bytes of a name in UTF-8. */
export function encodeName(name: string): Buffer {
  const known = encoded.get(name);
  if (known !== undefined) return known;
  const bytes = Buffer.from(name, 'utf8');
  if (encoded.size < slots && bytes.length <= 64) encoded.set(name, bytes);
  return bytes;
}

function isSame(known: Buffer, bytes: Buffer, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let index = 0; index < length; index++) if (known[index] !== bytes[at + index]) return false;
  return true;
}
