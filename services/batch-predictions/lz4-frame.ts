/** The LZ4 frame format (github.com/lz4/lz4, doc/lz4_Frame_format.md), as compressed buffers of Arrow have it; checksums are passed over. */

/** Throws an Error when the bytes are none, or end early. */
export function decodeLz4Frame(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 7 || view.getUint32(0, true) !== 0x184d2204) throw new Error('this is no LZ4 frame');
  const flags = view.getUint8(4);
  const [sized, blockChecksums, dictionary] = [(flags & 8) !== 0, (flags & 16) !== 0, (flags & 1) !== 0];
  let at = 6 + (sized ? 8 : 0) + (dictionary ? 4 : 0) + 1;
  const said = sized ? Number(view.getBigUint64(6, true)) : 4 * bytes.length;
  const out = new Output(said);
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const length = size & 0x7fff_ffff;
    const block = bytes.subarray(at, at + length);
    if (block.length < length) throw new Error('the LZ4 frame ends early');
    if (size >>> 31 === 1) out.copy(block);
    else decodeBlock(block, out);
    at += length + (blockChecksums ? 4 : 0);
  }
  const content = out.bytes();
  if (sized && content.length !== said)
    throw new Error(`the LZ4 frame holds ${content.length} bytes, and says ${said}`);
  return content;
}

function decodeBlock(block: Uint8Array, out: Output): void {
  let at = 0;
  const byte = (): number => {
    const value = block[at];
    if (value === undefined) throw new Error('the LZ4 block ends early');
    at += 1;
    return value;
  };
  const lengthOf = (first: number): number => {
    let length = first;
    if (first === 15) for (let more = 255; more === 255; length += more) more = byte();
    return length;
  };
  while (at < block.length) {
    const token = byte();
    const literals = lengthOf(token >> 4);
    if (at + literals > block.length) throw new Error('the LZ4 block ends early');
    out.copy(block.subarray(at, at + literals));
    at += literals;
    if (at >= block.length) return;
    const offset = byte() + 256 * byte();
    out.repeat(offset, lengthOf(token & 15) + 4);
  }
}

/** Frames may not say how long they are. Blocks may refer to what earlier ones gave. */
class Output {
  #buffer: Uint8Array;
  #length = 0;

  constructor(size: number) {
    this.#buffer = new Uint8Array(Math.min(size, bytesMax));
  }

  copy(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  repeat(offset: number, length: number): void {
    if (offset === 0 || offset > this.#length) throw new Error('the LZ4 block refers to bytes before its beginning');
    this.#room(length);
    const buffer = this.#buffer;
    for (let to = this.#length; to < this.#length + length; to++) buffer[to] = buffer[to - offset] ?? 0;
    this.#length += length;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    if (needed > bytesMax) throw new Error(`the LZ4 frame holds more than ${bytesMax} bytes`);
    const larger = new Uint8Array(Math.min(bytesMax, 2 * needed));
    larger.set(this.bytes());
    this.#buffer = larger;
  }
}

const bytesMax = 2 ** 31;
