/**
 * Arrays of `double` and `float` in one go. The library reads and writes them number by number through a Buffer, which for columns of rows is
 * most of what decoding costs. The bytes are the same.
 */
import avro from 'avsc';

/** What the library's types do inside; a read or write past the end moves `pos` there, and is found by the caller. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  skipLong(): void;
  writeLong(value: number): void;
}

interface ArrayInside {
  readonly itemsType: { readonly typeName?: string };
  _read(tap: Tap): unknown[];
  _write(tap: Tap, values: unknown): void;
}

const LibraryArray = avro.types.ArrayType as unknown as new (schema: avro.Schema, options: object) => ArrayInside;

/** Below it the detour costs more than it spares. */
const countMin = 8;
const doubles = new Float64Array(2_048);
const floats = new Float32Array(doubles.buffer);
const bytes = new Uint8Array(doubles.buffer);
const littleEndian = new Uint8Array(Float64Array.of(1).buffer)[7] === 0x3f;

class DoubleArray extends LibraryArray implements ArrayInside {
  override _read(tap: Tap): unknown[] {
    // A resolver of another writer's items reads by the library, too.
    if (this.itemsType.typeName !== 'double') return super._read(tap);
    return readBlocks(tap, 8, readDoubles);
  }

  override _write(tap: Tap, values: unknown): void {
    if (!areNumbers(values)) return super._write(tap, values);
    tap.writeLong(values.length);
    for (let from = 0; from < values.length; from += doubles.length) {
      const taken = Math.min(values.length - from, doubles.length);
      for (let at = 0; at < taken; at++) doubles[at] = values[from + at] as number;
      writeBytes(tap, 8 * taken);
    }
    tap.writeLong(0);
  }
}

class FloatArray extends LibraryArray implements ArrayInside {
  override _read(tap: Tap): unknown[] {
    if (this.itemsType.typeName !== 'float') return super._read(tap);
    return readBlocks(tap, 4, readFloats);
  }

  override _write(tap: Tap, values: unknown): void {
    if (!areNumbers(values)) return super._write(tap, values);
    tap.writeLong(values.length);
    for (let from = 0; from < values.length; from += floats.length) {
      const taken = Math.min(values.length - from, floats.length);
      for (let at = 0; at < taken; at++) floats[at] = values[from + at] as number;
      writeBytes(tap, 4 * taken);
    }
    tap.writeLong(0);
  }
}

type ReadNumbers = (buf: Buffer, pos: number, count: number) => number[];

function readBlocks(tap: Tap, width: number, read: ReadNumbers): number[] {
  let values: number[] | undefined;
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      count = -count;
      tap.skipLong();
    }
    const end = tap.pos + width * count;
    if (end > tap.buf.length) {
      tap.pos = tap.buf.length + 1;
      break;
    }
    const block = read(tap.buf, tap.pos, count);
    // Most writers write one block.
    values = values === undefined ? block : values.concat(block);
    tap.pos = end;
  }
  return values ?? [];
}

// An array of the right length from the start takes a fifth of the time of one that grows; each kind of number has a loop of its own.
function readDoubles(buf: Buffer, pos: number, count: number): number[] {
  const values = new Array<number>(count);
  if (count < countMin) {
    for (let at = 0; at < count; at++) values[at] = buf.readDoubleLE(pos + 8 * at);
    return values;
  }
  for (let from = 0; from < count; from += doubles.length) {
    const taken = Math.min(count - from, doubles.length);
    buf.copy(bytes, 0, pos + 8 * from, pos + 8 * (from + taken));
    for (let at = 0; at < taken; at++) values[from + at] = doubles[at] as number;
  }
  return values;
}

function readFloats(buf: Buffer, pos: number, count: number): number[] {
  const values = new Array<number>(count);
  if (count < countMin) {
    for (let at = 0; at < count; at++) values[at] = buf.readFloatLE(pos + 4 * at);
    return values;
  }
  for (let from = 0; from < count; from += floats.length) {
    const taken = Math.min(count - from, floats.length);
    buf.copy(bytes, 0, pos + 4 * from, pos + 4 * (from + taken));
    for (let at = 0; at < taken; at++) values[from + at] = floats[at] as number;
  }
  return values;
}

/** The first bytes of the scratch, unless there is no room: then only the position moves. */
function writeBytes(tap: Tap, count: number): void {
  if (tap.pos + count <= tap.buf.length) tap.buf.set(bytes.subarray(0, count), tap.pos);
  tap.pos += count;
}

/** What the library is to write, or to refuse, is not. */
function areNumbers(values: unknown): values is number[] {
  if (!Array.isArray(values) || values.length < countMin) return false;
  for (let at = 0; at < values.length; at++) if (typeof values[at] !== 'number') return false;
  return true;
}

/** For `typeHook` of the library. */
export function numberArrayOf(schema: unknown, options: object): avro.Type | undefined {
  const { type, items } = (schema ?? {}) as { readonly type?: unknown; readonly items?: unknown };
  if (!littleEndian || type !== 'array' || (items !== 'double' && items !== 'float')) return undefined;
  const Made = items === 'double' ? DoubleArray : FloatArray;
  return new Made(schema as avro.Schema, options) as unknown as avro.Type;
}
