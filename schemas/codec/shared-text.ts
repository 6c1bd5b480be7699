/**
 * Texts that come again and again (names of deployments, routes, models, hashes) are decoded once and shared: a decoded text costs a call
 * out of JavaScript and lives as long as the state that holds it. Tables of fixed size; a text is remembered when it comes a second
 * time, so that ids, which come once, leave nothing behind.
 */
const slots = 4_096;
const lengthMax = 80;
const seen = new Int32Array(slots);
const known: (string | undefined)[] = new Array<string | undefined>(slots).fill(undefined);

/** The UTF-8 text in `[from, to)`. */
export function sharedText(bytes: Buffer, from: number, to: number): string {
  const length = to - from;
  if (length === 0) return '';
  if (length > lengthMax) return bytes.toString('utf8', from, to);
  let hash = length;
  let all = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    all |= byte;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  // Beyond ASCII, bytes and characters are not the same numbers.
  if (all >= 0x80) return bytes.toString('utf8', from, to);
  const slot = (hash ^ (hash >>> 15)) & (slots - 1);
  const text = known[slot];
  if (text?.length === length && isSame(text, bytes, from)) return text;
  const decoded = bytes.toString('latin1', from, to);
  if (seen[slot] === hash) known[slot] = decoded;
  else seen[slot] = hash;
  return decoded;
}

function isSame(text: string, bytes: Buffer, from: number): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[from + index]) return false;
  return true;
}
