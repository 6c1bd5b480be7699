/**
 * Artifact values to bytes and back. What a TypeScript step returns is `json` for plain values, `json+bytes` when typed arrays or
 * bytes lie somewhere in them, `bytes` for a Uint8Array itself, `npy` for an {@link NdArray}, `arrow` for an {@link ArrowTable}; steps
 * in other languages also leave `text` and `onnx`. What JSON would silently change (NaN, undefined in lists, Date, Map, Set, bigint)
 * survives; what cannot be stored is refused with its path. Nothing is ever executed when a value is read.
 *
 * `json+bytes`: u32 big-endian length of the JSON, the JSON, then each binary part at the next multiple of 8 from the start.
 */
import { hash } from 'node:crypto';
import { decodeNpy, encodeNpy, type NdArray } from './npy.ts';

export const artifactCodecs = ['json', 'json+bytes', 'bytes', 'text', 'npy', 'arrow', 'onnx'] as const;
export type ArtifactCodec = (typeof artifactCodecs)[number];

/** A table as Arrow IPC bytes, of the file or the stream format; any Arrow library reads and writes them. */
export class ArrowTable extends Uint8Array {}

export interface EncodedValue {
  readonly codec: ArtifactCodec;
  readonly bytes: Uint8Array;
}

/** Objects with this property stand for values that JSON lacks. */
const tag = '$millrace';

export function encodeArtifact(name: string, value: unknown): EncodedValue {
  if (isPlainBytes(value)) return { codec: 'bytes', bytes: value };
  // matched by name, because a bundle may carry a copy of the class
  if (isNamed(value, 'NdArray')) return { codec: 'npy', bytes: encodeNpy(value as NdArray) };
  if (isNamed(value, 'ArrowTable')) return { codec: 'arrow', bytes: checked('arrow', value as ArrowTable) };
  const parts: Uint8Array[] = [];
  const json = Buffer.from(JSON.stringify(toJson(value, name, parts, [])) ?? 'null');
  if (parts.length === 0) return { codec: 'json', bytes: json };
  const chunks: Uint8Array[] = [Buffer.alloc(4), json];
  Buffer.from(chunks[0]?.buffer ?? new ArrayBuffer(4), chunks[0]?.byteOffset, 4).writeUInt32BE(json.length);
  let length = 4 + json.length;
  for (const part of parts) {
    const padding = (8 - (length % 8)) % 8;
    chunks.push(Buffer.alloc(padding), part);
    length += padding + part.length;
  }
  return { codec: 'json+bytes', bytes: Buffer.concat(chunks, length) };
}

/** Throws on a codec that this program does not know, and on bytes that contradict theirs. */
export function decodeArtifact(codec: string, bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (codec) {
    case 'bytes':
    case 'onnx':
      return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
    case 'text':
      return buffer.toString('utf8');
    case 'npy':
      return decodeNpy(buffer);
    case 'arrow':
      return new ArrowTable(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.length);
    case 'json':
      return fromJson(JSON.parse(buffer.toString('utf8')) as unknown, () => {
        throw new TypeError('a json artifact has no binary parts');
      });
    case 'json+bytes': {
      const jsonLength = buffer.readUInt32BE(0);
      const json = JSON.parse(buffer.toString('utf8', 4, 4 + jsonLength)) as unknown;
      let at = 4 + jsonLength;
      return fromJson(json, (length) => {
        at += (8 - (at % 8)) % 8;
        if (at + length > buffer.length) throw new RangeError('a binary part lies beyond the end of the artifact');
        const part = Buffer.from(buffer.subarray(at, at + length));
        at += length;
        return part;
      });
    }
    default:
      throw new TypeError(`there is no artifact codec '${codec}'`);
  }
}

/**
 * Whether bytes can be of a codec, judged by their beginning; undefined when they can, else what was expected. Whole files are not
 * read: they may be larger than memory.
 */
export function headProblem(codec: ArtifactCodec, head: Uint8Array): string | undefined {
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 8));
  switch (codec) {
    case 'npy':
      return start.toString('latin1', 0, 6) === '\u0093NUMPY' ? undefined : 'an NPY file, as numpy.save writes it';
    case 'arrow': {
      const isFile = start.toString('latin1', 0, 6) === 'ARROW1';
      const isStream = start.length >= 4 && start.readUInt32LE(0) === 0xff_ff_ff_ff;
      return isFile || isStream ? undefined : 'Arrow IPC bytes, of the file or the stream format';
    }
    case 'onnx':
      // the version of the format comes first in every writer: field 1, a varint
      return start[0] === 0x08 ? undefined : 'an ONNX model';
    default:
      return undefined;
  }
}

function checked(codec: ArtifactCodec, bytes: Uint8Array): Uint8Array {
  const problem = headProblem(codec, bytes);
  if (problem !== undefined) throw new TypeError(`an ${codec} artifact must hold ${problem}`);
  return bytes;
}

const arrayTypes = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;
type ArrayTypeName = keyof typeof arrayTypes;

function toJson(value: unknown, path: string, parts: Uint8Array[], above: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { [tag]: 'number', value: Object.is(value, -0) ? '-0' : String(value) };
    case 'undefined':
      return { [tag]: 'undefined' };
    case 'bigint':
      return { [tag]: 'bigint', value: String(value) };
    case 'object':
      return value === null ? null : objectToJson(value, path, parts, above);
    default:
      throw unstorable(path, `is a ${typeof value}`);
  }
}

function objectToJson(value: object, path: string, parts: Uint8Array[], above: readonly object[]): unknown {
  if (above.includes(value)) throw unstorable(path, 'contains itself');
  if (above.length > 200) throw unstorable(path, 'is nested deeper than 200');
  const inside = [...above, value];
  if (Array.isArray(value)) return value.map((item, index) => toJson(item, `${path}[${index}]`, parts, inside));
  if (ArrayBuffer.isView(value)) {
    const type = value instanceof Buffer ? 'Uint8Array' : value.constructor.name;
    if (!Object.hasOwn(arrayTypes, type)) throw unstorable(path, `is a ${type}`);
    parts.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    return { [tag]: type, bytes: value.byteLength };
  }
  if (value instanceof Promise) throw unstorable(path, 'is a promise (await it)');
  if (value instanceof Date) return { [tag]: 'Date', value: value.getTime() };
  if (value instanceof Map) return { [tag]: 'Map', value: toJson([...value], path, parts, inside) };
  if (value instanceof Set) return { [tag]: 'Set', value: toJson([...value], path, parts, inside) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    throw unstorable(path, `is a ${value.constructor.name}`);
  }
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => [key, toJson(item, `${path}.${key}`, parts, inside)] as const);
  const plain = Object.fromEntries(entries);
  return Object.hasOwn(plain, tag) ? { [tag]: 'object', value: plain } : plain;
}

function fromJson(value: unknown, takePart: (length: number) => Buffer): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fromJson(item, takePart));
  const object = value as Readonly<Record<string, unknown>>;
  const type = object[tag];
  if (typeof type === 'string') return tagged(type, object, takePart);
  const read: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(object)) define(read, key, fromJson(item, takePart));
  return read;
}

function tagged(
  type: string,
  object: Readonly<Record<string, unknown>>,
  takePart: (length: number) => Buffer,
): unknown {
  const { value } = object as { value?: unknown };
  switch (type) {
    case 'number':
      return Number(value);
    case 'undefined':
      return undefined;
    case 'bigint':
      return BigInt(String(value));
    case 'Date':
      return new Date(Number(value));
    case 'Map':
      return new Map(fromJson(value, takePart) as [unknown, unknown][]);
    case 'Set':
      return new Set(fromJson(value, takePart) as unknown[]);
    case 'object': {
      const read: Record<string, unknown> = {};
      for (const [key, item] of Object.entries(value as object)) define(read, key, fromJson(item, takePart));
      return read;
    }
    default: {
      if (!Object.hasOwn(arrayTypes, type)) throw new TypeError(`an artifact holds an unknown type '${type}'`);
      const part = takePart(Number(object['bytes']));
      const aligned = new Uint8Array(part).buffer;
      return new arrayTypes[type as ArrayTypeName](aligned);
    }
  }
}

/** Also for keys such as `__proto__`, which an assignment would not store. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}

function isNamed(value: unknown, name: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return (value as { constructor?: { name?: unknown } }).constructor?.name === name;
}

function isPlainBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && (value.constructor === Uint8Array || value instanceof Buffer);
}

function unstorable(path: string, why: string): TypeError {
  return new TypeError(
    `artifact '${path}' cannot be stored: it ${why}. Return plain data: numbers, texts, lists, objects, typed arrays.`,
  );
}

/** An artifact whose bytes travel with its name; for values that are small. */
export function inlineArtifact(
  name: string,
  value: unknown,
): {
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly codec: string;
  readonly inline: Buffer;
} {
  const { codec, bytes } = encodeArtifact(name, value);
  const inline = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return { name, hash: hash('sha256', inline, 'hex'), sizeBytes: inline.length, codec, inline };
}
