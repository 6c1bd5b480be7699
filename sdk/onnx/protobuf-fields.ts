import type protobuf from 'protobufjs/minimal.js';

/** Protobuf wire types (https://protobuf.dev/programming-guides/encoding). */
export const varint = 0;
export const bytes = 2;
export const fixed32 = 5;

/** The key that precedes a field's value. */
export function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Writes a length-delimited field, a message or a packed list, whose body `write` produces. */
export function nested(writer: protobuf.Writer, field: number, write: () => void): void {
  writer.uint32(tag(field, bytes)).fork();
  write();
  writer.ldelim();
}
