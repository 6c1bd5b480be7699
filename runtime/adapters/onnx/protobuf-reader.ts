/**
 * Reads the fields of one protobuf message without trusting it: nothing is allocated by a declared size, every length is held against
 * the bytes that are there, and what `onnx-fields.ts` does not know is refused, so that no part of a file goes unseen because this
 * reader and the runtime's disagree about it. A message inside is a range of the same bytes.
 */
import type { FieldKind, MessageFields } from './onnx-fields.ts';
import { type RefusalReason, refused } from './refusal.ts';

export interface Message {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** For messages of errors. */
  readonly where: string;
}

export class ProtobufReader {
  /** Name of the current field in the table. */
  name = '';
  readonly #fields: MessageFields;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #where: string;
  #at: number;
  #kind: FieldKind = 'int';
  #wire = 0;
  /** One bit per field number; those of ONNX are below 32. */
  #seen = 0;

  constructor(message: Message, fields: MessageFields) {
    this.#bytes = message.bytes;
    this.#at = message.start;
    this.#end = message.end;
    this.#where = message.where;
    this.#fields = fields;
  }

  /** Goes to the next field; its value must be read or skipped then. False at the end of the message. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const start = this.#at;
    const tag = this.#varint();
    const number = Math.floor(tag / 8);
    this.#wire = tag % 8;
    const field = this.#fields[number];
    if (field === undefined || tag > 0xffff_ffff) {
      throw this.#wrong(
        'malformed',
        `byte ${start} starts field ${number} of wire type ${this.#wire}, which ONNX does not have`,
      );
    }
    const [name, kind, times] = field;
    if (!wireTypes[kind].includes(this.#wire)) {
      throw this.#wrong('malformed', `byte ${start}: field ${name} has wire type ${this.#wire}`);
    }
    // Parsers merge a repeated single message or take its last value; no exporter writes one.
    const bit = 1 << number;
    if (times === 'once' && (this.#seen & bit) !== 0) throw this.#wrong('malformed', `field ${name} is there twice`);
    this.#seen |= bit;
    this.name = name;
    this.#kind = kind;
    return true;
  }

  skip(): void {
    if (this.#wire === 0) this.#varint();
    else if (this.#wire === 1) this.#take(8);
    else if (this.#wire === 5) this.#take(4);
    else this.#take(this.#varint());
  }

  /** A signed 64-bit integer. */
  int(): bigint {
    const start = this.#at;
    const value = this.#varint();
    if (this.#at - start < 8) return BigInt(value);
    let exact = 0n;
    for (let at = start, shift = 0n; at < this.#at; at++, shift += 7n)
      exact |= BigInt((this.#bytes[at] ?? 0) & 0x7f) << shift;
    return BigInt.asIntN(64, exact);
  }

  /** Signed 64-bit integers of one occurrence, packed or not; at most `max`. */
  ints(max: number): bigint[] {
    if (this.#wire === 0) return [this.int()];
    const length = this.#length();
    const end = this.#at + length;
    const values: bigint[] = [];
    while (this.#at < end) {
      if (values.length === max) throw this.#wrong('too-many', `field ${this.name} has more than ${max} values`);
      values.push(this.int());
    }
    if (this.#at !== end) throw this.#wrong('malformed', `field ${this.name} does not end with a whole number`);
    return values;
  }

  /** 32-bit floats of one occurrence, packed or not; at most `max`. */
  floats(max: number): number[] {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    const length = this.#wire === 2 ? this.#length() : 4;
    const start = this.#at;
    this.#take(length);
    if (length % 4 !== 0) throw this.#wrong('malformed', `field ${this.name} has ${length} bytes, not a multiple of 4`);
    if (length / 4 > max) throw this.#wrong('too-many', `field ${this.name} has more than ${max} values`);
    return Array.from({ length: length / 4 }, (_, index) => view.getFloat32(start + 4 * index, true));
  }

  /** How many numbers one occurrence of a repeated field holds, packed or not. */
  count(): number {
    if (this.#wire !== 2) {
      this.skip();
      return 1;
    }
    const length = this.#length();
    if (this.#kind === 'ints') return this.#countVarints(length);
    const size = this.#kind === 'doubles' ? 8 : 4;
    if (length % size !== 0)
      throw this.#wrong('malformed', `field ${this.name} has ${length} bytes, not a multiple of ${size}`);
    this.#at += length;
    return length / size;
  }

  /** Length in bytes of the value, which is skipped. */
  sizeBytes(): number {
    const length = this.#length();
    this.#at += length;
    return length;
  }

  text(): string {
    const length = this.#length();
    if (length > nameBytesMax) throw this.#wrong('absurd-shape', `field ${this.name} is a name of ${length} bytes`);
    const start = this.#at;
    this.#at += length;
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString('utf8');
  }

  message(where: string): Message {
    const length = this.#length();
    const start = this.#at;
    this.#at += length;
    return { bytes: this.#bytes, start, end: this.#at, where };
  }

  #length(): number {
    const length = this.#varint();
    if (length > this.#end - this.#at) this.#take(length);
    return length;
  }

  #take(length: number): void {
    const left = this.#end - this.#at;
    if (length > left) {
      throw this.#wrong(
        'truncated',
        `truncated: field ${this.name} should have ${length} bytes more, ${left} are there`,
      );
    }
    this.#at += length;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1, read = 0; read < 10; read++, factor *= 128) {
      if (this.#at >= this.#end) throw this.#wrong('truncated', 'truncated: it ends inside of a number');
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw this.#wrong('malformed', `byte ${this.#at - 10} starts a number of more than 10 bytes`);
  }

  #countVarints(length: number): number {
    const end = this.#at + length;
    let count = 0;
    for (; this.#at < end; this.#at++) if ((this.#bytes[this.#at] ?? 0) < 0x80) count++;
    if (length > 0 && (this.#bytes[end - 1] ?? 0) >= 0x80) {
      throw this.#wrong('malformed', `field ${this.name} does not end with a whole number`);
    }
    return count;
  }

  #wrong(reason: RefusalReason, problem: string): Error {
    // Nothing can be said about the inside of a file whose outermost fields make no sense.
    if (reason === 'malformed' && this.#where === '') {
      return refused('not-onnx', '', `it is no ONNX file, or a garbled one: ${problem}`);
    }
    return refused(reason, this.#where, problem);
  }
}

const nameBytesMax = 4096;

const wireTypes: Readonly<Record<FieldKind, readonly number[]>> = {
  int: [0],
  float: [5],
  text: [2],
  bytes: [2],
  message: [2],
  ints: [0, 2],
  floats: [5, 2],
  doubles: [1, 2],
};
