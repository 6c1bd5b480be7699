/**
 * Header names as text and as bytes. A log has few of them, which repeat in every record: each is converted once. Bounded, so that
 * outsiders with ever new names cost time, not memory.
 */
const namesMax = 1_000;
const bytesOf = new Map<string, Buffer>();
const textsOf = new Map<number, { readonly bytes: Buffer; readonly text: string }[]>();
let textsCount = 0;

export function headerNameBytes(name: string): Buffer {
  const known = bytesOf.get(name);
  if (known !== undefined) return known;
  const bytes = Buffer.from(name);
  if (bytesOf.size < namesMax) bytesOf.set(name, bytes);
  return bytes;
}

/** The text of `buffer[from, to)`. */
export function headerNameText(buffer: Buffer, from: number, to: number): string {
  const hash = ((to - from) << 16) | ((buffer[from] ?? 0) << 8) | (buffer[to - 1] ?? 0);
  const candidates = textsOf.get(hash);
  if (candidates !== undefined) {
    for (const { bytes, text } of candidates) if (isAt(bytes, buffer, from, to)) return text;
  }
  const text = buffer.toString('utf8', from, to);
  if (textsCount < namesMax) {
    textsCount++;
    const entry = { bytes: Buffer.from(buffer.subarray(from, to)), text };
    if (candidates === undefined) textsOf.set(hash, [entry]);
    else candidates.push(entry);
  }
  return text;
}

function isAt(bytes: Buffer, buffer: Buffer, from: number, to: number): boolean {
  if (bytes.length !== to - from) return false;
  for (let index = 0; index < bytes.length; index++) if (bytes[index] !== buffer[from + index]) return false;
  return true;
}
