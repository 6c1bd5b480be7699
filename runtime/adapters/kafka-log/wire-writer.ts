import { loadKafkajs } from './kafkajs-mends.ts';

/** Writes the body of a request. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    const part = Buffer.allocUnsafe(1);
    part.writeInt8(value);
    return this.bytes(part);
  }

  int16(value: number): this {
    const part = Buffer.allocUnsafe(2);
    part.writeInt16BE(value);
    return this.bytes(part);
  }

  int32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    return this.bytes(part);
  }

  int64(value: number): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigInt64BE(BigInt(value));
    return this.bytes(part);
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const part = Buffer.from(value);
    return this.int16(part.length).bytes(part);
  }

  bytes(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }

  /** As kafkajs' connections want it. */
  finish(): unknown {
    const body = Buffer.concat(this.#parts);
    const encoder = new (Encoder())(body.length);
    return (encoder.writeBufferInternal(body), encoder);
  }
}

interface KafkajsEncoder {
  writeBufferInternal(bytes: Buffer): void;
}

const Encoder = (): (new (size: number) => KafkajsEncoder) => loadKafkajs('protocol/encoder');

/** Reads the body of an answer. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  int64(): number {
    this.#at += 8;
    return Number(this.#bytes.readBigInt64BE(this.#at - 8));
  }

  string(): string {
    return this.sized(this.int16()).toString('utf8');
  }

  /** The next bytes; none for a negative size. */
  sized(size: number): Buffer {
    const from = this.#at;
    this.#at += Math.max(0, size);
    return this.#bytes.subarray(from, this.#at);
  }
}
