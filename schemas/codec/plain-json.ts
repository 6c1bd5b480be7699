/**
 * JSON of an event's data, for people and for programs without Avro. What JSON has no form for goes as text: NaN and infinities, 64-bit
 * integers; bytes go as base64.
 */
export function plainJson(value: unknown): string {
  return JSON.stringify(value, plain);
}

function plain(this: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  const given = this[name]; // before toJSON
  if (given instanceof Uint8Array) return Buffer.from(given).toString('base64');
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
