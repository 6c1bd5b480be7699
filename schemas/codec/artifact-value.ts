/**
 * Artifact values to bytes and back. Three codecs: `json` for plain values, `json+bytes` when typed arrays or bytes lie somewhere in
 * them, `bytes` for a Uint8Array itself. What JSON would silently change (NaN, undefined in lists, Date, Map, Set, bigint) survives;
 * what cannot be stored is refused with its path. Nothing is ever executed when a value is read.
 *
 * `json+bytes`: u32 big-endian length of the JSON, the JSON, then each binary part at the next multiple of 8 from the start.
 */

export interface EncodedValue {
  readonly codec: string;
  readonly bytes: Uint8Array;
}

/** Objects with this property stand for values that JSON lacks. */
const tag = '$millrace';

export function encodeArtifact(name: string, value: unknown): EncodedValue {
  if (isPlainBytes(value)) return { codec: 'bytes', bytes: value };
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
  if (value instanceof Date) return { [tag]: 'Date', value: value.getTime() };
  if (value instanceof Map) return { [tag]: 'Map', value: toJson([...value], path, parts, inside) };
  if (value instanceof Set) return { [tag]: 'Set', value: toJson([...value], path, parts, inside) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    throw unstorable(path, `is a ${value.constructor.name}`);
  }
  if (value instanceof Promise) throw unstorable(path, 'is a promise (await it)');
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

function isPlainBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && (value.constructor === Uint8Array || value instanceof Buffer);
}

function unstorable(path: string, why: string): TypeError {
  return new TypeError(
    `artifact '${path}' cannot be stored: it ${why}. Return plain data: numbers, texts, lists, objects, typed arrays.`,
  );
}
