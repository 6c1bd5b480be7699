/** Content hashes in bytes of any format: whatever looks like one is one, so that nothing is overlooked that names a blob. */

const hashPattern = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g;
const hashLength = 64;

export function hashesIn(bytes: Uint8Array): readonly string[] {
  if (bytes.length < hashLength) return [];
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const whole = text.match(hashPattern) ?? [];
  // lengths and types stand before texts in Avro and MessagePack, and may be hex digits themselves
  const longer = text.match(/[0-9a-f]{65,}/g) ?? [];
  return [...whole, ...longer.flatMap(windows)];
}

/** The same over a stream, also where a hash lies across two chunks. */
export async function* hashesOfStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]);
    yield* hashesIn(bytes);
    rest = bytes.subarray(Math.max(0, bytes.length - 2 * hashLength));
  }
}

/** Of a long run, which is no hash but a text in hex, only the ends. */
function windows(run: string): string[] {
  const last = run.length - hashLength;
  const places = Array.from({ length: last + 1 }, (_, at) => at).filter((at) => at < 80 || at > last - 80);
  return places.map((at) => run.slice(at, at + hashLength));
}
