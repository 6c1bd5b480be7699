import { hash } from 'node:crypto';
import type { Tensor } from './events.generated.ts';

/**
 * sha256 (hex) over the canonical form of a request's tensors, so that anyone who reads a prediction can compute it again: tensors by
 * name; of each its name, datatype and dimensions as text, a zero byte behind each, then its elements row-major. A number is its
 * 64-bit float (little-endian), a boolean one byte, a text its length in bytes (32 bit, little-endian) and its UTF-8.
 */
export function inputDigest(inputs: readonly Tensor[]): string {
  const ordered = inputs.length < 2 ? inputs : [...inputs].sort((a, b) => (a.name < b.name ? -1 : 1));
  let end = 0;
  for (const tensor of ordered) end = writeTensor(tensor, end);
  return hash('sha256', scratch.subarray(0, end), 'hex');
}

let scratch = Buffer.allocUnsafe(64 * 1024);

function writeTensor(tensor: Tensor, start: number): number {
  let end = writeText(`${tensor.name}\u0000${tensor.datatype}\u0000${tensor.shape.join(',')}\u0000`, start);
  for (const { values } of Object.values(tensor.data) as { values: readonly (number | boolean | string)[] }[]) {
    room(end + values.length * 8);
    for (const value of values) {
      if (typeof value === 'number') end = scratch.writeDoubleLE(value, end);
      else if (typeof value === 'boolean') end = writeByte(value ? 1 : 0, end);
      else {
        const bytes = Buffer.byteLength(value);
        room(end + 4);
        end = writeText(value, scratch.writeUInt32LE(bytes, end));
      }
    }
  }
  return end;
}

function writeByte(value: number, at: number): number {
  room(at + 1);
  return scratch.writeUInt8(value, at);
}

function writeText(text: string, at: number): number {
  room(at + text.length * 3);
  return at + scratch.write(text, at, 'utf8');
}

function room(bytes: number): void {
  if (bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * scratch.length));
  scratch.copy(larger);
  scratch = larger;
}
