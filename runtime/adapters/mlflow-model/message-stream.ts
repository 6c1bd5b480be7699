/** Messages to and from the process of a Python model, as `python-program.ts` describes them. */
import type { Readable, Writable } from 'node:stream';

export interface Message {
  readonly head: Readonly<Record<string, unknown>>;
  readonly parts: readonly Uint8Array[];
}

/** More in one message is taken for what a stray writer put between. */
const bytesMax = 1024 ** 3;

export function writeMessage(stream: Writable, { head, parts }: Message): void {
  const text = Buffer.from(JSON.stringify({ ...head, sizes: parts.map(({ length }) => length) }), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  stream.write(Buffer.concat([length, text, ...parts]));
}

/** Calls back for each message; `broken` when what comes is none. */
export function readMessages(stream: Readable, heard: (message: Message) => void, broken: () => void): void {
  let chunks: Buffer[] = [];
  let size = 0;
  /** Bytes without which there is nothing to look at. */
  let needed = 4;
  let failed = false;
  stream.on('data', (chunk: Buffer) => {
    if (failed) return;
    chunks.push(chunk);
    size += chunk.length;
    try {
      for (;;) {
        if (size < needed) return;
        const whole = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        chunks = [whole];
        const message = cut(whole);
        if (typeof message === 'number') {
          needed = message;
          continue;
        }
        needed = 4;
        chunks = message.rest.length === 0 ? [] : [message.rest];
        size = message.rest.length;
        heard(message);
      }
    } catch {
      failed = true;
      broken();
    }
  });
}

/** The first message, or how many bytes are needed to see more of it. */
function cut(bytes: Buffer): (Message & { readonly rest: Buffer }) | number {
  const length = bytes.readUInt32LE(0);
  if (length > bytesMax) throw new RangeError('no message');
  if (bytes.length < 4 + length) return 4 + length;
  const head = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as { readonly sizes: readonly number[] };
  const parts: Uint8Array[] = [];
  let at = 4 + length;
  const end = head.sizes.reduce((sum, size) => sum + size, at);
  if (end - at > bytesMax) throw new RangeError('no message');
  if (bytes.length < end) return end;
  for (const size of head.sizes) {
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return { head, parts, rest: bytes.subarray(at) };
}
