/** Zigzag variable-length integers, as Kafka's record format v2 uses them. */

/** Bytes of a number in [-2^30, 2^30). */
export function varintSize(value: number): number {
  const zigzag = (value << 1) ^ (value >> 31);
  if (zigzag < 0) return 5;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  return zigzag < 0x1000_0000 ? 4 : 5;
}

/** Writes a number and answers the position behind it. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  let position = at;
  while (zigzag > 0x7f) {
    buffer[position++] = (zigzag & 0x7f) | 0x80;
    zigzag >>>= 7;
  }
  buffer[position++] = zigzag;
  return position;
}

/** Reads numbers one after another. Bytes beyond the end throw. */
export class VarintReader {
  readonly buffer: Buffer;
  position: number;

  constructor(buffer: Buffer, position: number) {
    this.buffer = buffer;
    this.position = position;
  }

  /** A 32-bit number. */
  int(): number {
    let byte = this.#next();
    let zigzag = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift > 28) throw new RangeError('A variable-length number has more than 5 bytes.');
      byte = this.#next();
      zigzag |= (byte & 0x7f) << shift;
    }
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  /** A 64-bit number; exact up to 2^53. */
  long(): number {
    let byte = this.#next();
    let zigzag = byte & 0x7f;
    for (let scale = 128; byte > 0x7f; scale *= 128) {
      byte = this.#next();
      zigzag += (byte & 0x7f) * scale;
    }
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  /** Bytes that follow their length; null for the length -1. */
  bytes(): Buffer | null {
    const length = this.int();
    if (length < 0) return null;
    const from = this.#pass(length);
    return this.buffer.subarray(from, this.position);
  }

  /** Where bytes that follow their length lie, from and to. */
  span(): { readonly from: number; readonly to: number } {
    const from = this.#pass(Math.max(0, this.int()));
    return { from, to: this.position };
  }

  #pass(length: number): number {
    const from = this.position;
    this.position += length;
    if (this.position > this.buffer.length) throw new RangeError('A record is cut off.');
    return from;
  }

  #next(): number {
    const byte = this.buffer[this.position++];
    if (byte === undefined) throw new RangeError('A record is cut off.');
    return byte;
  }
}
