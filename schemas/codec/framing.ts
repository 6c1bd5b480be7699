/** Confluent wire format: a zero byte, the schema id as a big-endian 32-bit integer, then the Avro bytes. */
export const framingBytes = 5;

/** The writer's schema id, or undefined when the bytes are not framed. */
export function schemaIdOf(value: Uint8Array): number | undefined {
  if (value.length < framingBytes || value[0] !== 0) return undefined;
  return ((value[1] ?? 0) << 24) | ((value[2] ?? 0) << 16) | ((value[3] ?? 0) << 8) | (value[4] ?? 0);
}

export function writeFraming(target: Buffer, schemaId: number): void {
  target[0] = 0;
  target.writeInt32BE(schemaId, 1);
}
