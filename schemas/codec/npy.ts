/**
 * Arrays of numbers as numpy stores them: the NPY format, versions 1 to 3 (numpy.lib.format). Read in either byte order and either
 * memory order; written little-endian in C order, version 1. Arrays of objects are refused: reading them would run code.
 */
const elements = {
  float64: { descr: 'f8', array: Float64Array },
  float32: { descr: 'f4', array: Float32Array },
  int64: { descr: 'i8', array: BigInt64Array },
  int32: { descr: 'i4', array: Int32Array },
  int16: { descr: 'i2', array: Int16Array },
  int8: { descr: 'i1', array: Int8Array },
  uint64: { descr: 'u8', array: BigUint64Array },
  uint32: { descr: 'u4', array: Uint32Array },
  uint16: { descr: 'u2', array: Uint16Array },
  uint8: { descr: 'u1', array: Uint8Array },
  bool: { descr: 'b1', array: Uint8Array },
} as const;

export type ElementType = keyof typeof elements;
export type NumberArray = InstanceType<(typeof elements)[ElementType]['array']>;

/** An array of any number of dimensions, in C order. */
export class NdArray {
  readonly data: NumberArray;
  readonly shape: readonly number[];
  readonly elementType: ElementType;

  /** @param elementType by default what `data` holds; `bool` is said by name */
  constructor(data: NumberArray, shape: readonly number[] = [data.length], elementType: ElementType = typeOf(data)) {
    const size = shape.reduce((product, length) => product * length, 1);
    if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0) || size !== data.length)
      throw new RangeError(`an array of shape [${shape.join(', ')}] has ${size} elements, got ${data.length}`);
    if (!(data instanceof elements[elementType].array))
      throw new TypeError(`an array of ${elementType} needs a ${elements[elementType].array.name}`);
    this.data = data;
    this.shape = shape;
    this.elementType = elementType;
  }
}

const magic = Buffer.from('\u0093NUMPY', 'latin1');
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function encodeNpy({ data, shape, elementType }: NdArray): Buffer {
  const { descr } = elements[elementType];
  const order = data.BYTES_PER_ELEMENT === 1 ? '|' : littleEndian ? '<' : '>';
  const dimensions = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${order}${descr}', 'fortran_order': False, 'shape': ${dimensions}, }`;
  // magic, version and length are 10 bytes; the data begins at a multiple of 64
  const padded = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const header = Buffer.alloc(10 + padded, ' ');
  magic.copy(header);
  header[6] = 1;
  header[7] = 0;
  header.writeUInt16LE(padded, 8);
  header.write(text, 10, 'latin1');
  header[header.length - 1] = 0x0a;
  return Buffer.concat([header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

/** Throws on bytes that are no NPY array of numbers, and says why. */
export function decodeNpy(bytes: Uint8Array): NdArray {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buffer.length < 12 || !buffer.subarray(0, 6).equals(magic)) throw new TypeError('these bytes are no NPY file');
  const version = buffer[6] ?? 0;
  if (version < 1 || version > 3) throw new TypeError(`NPY version ${version} is not known, 1 to 3 are`);
  const start = version === 1 ? 10 : 12;
  const end = start + (version === 1 ? buffer.readUInt16LE(8) : buffer.readUInt32LE(8));
  if (end > buffer.length) throw new RangeError('the header of the NPY file is cut off');
  const header = buffer.toString(version === 3 ? 'utf8' : 'latin1', start, end);
  const { elementType, swapped, fortran, shape } = parseHeader(header);
  const { array } = elements[elementType];
  const size = shape.reduce((product, length) => product * length, 1);
  const length = size * array.BYTES_PER_ELEMENT;
  if (buffer.length - end !== length)
    throw new RangeError(`an NPY array of shape [${shape.join(', ')}] has ${length} bytes, got ${buffer.length - end}`);
  const copy = Buffer.alloc(length);
  buffer.copy(copy, 0, end);
  if (swapped) swap(copy, array.BYTES_PER_ELEMENT);
  const data = new array(copy.buffer, copy.byteOffset, size);
  return new NdArray(fortran ? inRowOrder(data, shape) : data, shape, elementType);
}

function parseHeader(header: string): {
  readonly elementType: ElementType;
  readonly swapped: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
} {
  const [, order = '', descr = ''] = /'descr':\s*'([<>|=])([A-Za-z]\d*)'/.exec(header) ?? [];
  const [, fortran] = /'fortran_order':\s*(True|False)/.exec(header) ?? [];
  const [, dimensions] = /'shape':\s*\(([\d,\sL]*)\)/.exec(header) ?? [];
  const named = Object.entries(elements).find(([, element]) => element.descr === descr);
  if (named === undefined || fortran === undefined || dimensions === undefined)
    throw new TypeError(
      `the NPY header ${header.trim().slice(0, 120)} is not of numbers: save an array of ${Object.keys(elements).join(', ')}`,
    );
  const shape = dimensions
    .split(',')
    .map((part) => part.replace('L', '').trim())
    .filter((part) => part !== '')
    .map(Number);
  const swapped = (order === '>' && littleEndian) || (order === '<' && !littleEndian);
  return { elementType: named[0] as ElementType, swapped, fortran: fortran === 'True', shape };
}

function swap(buffer: Buffer, width: number): void {
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** From column-major to row-major. */
function inRowOrder(data: NumberArray, shape: readonly number[]): NumberArray {
  const ordered = data.slice();
  const index = shape.map(() => 0);
  const strides: number[] = [];
  shape.reduce((stride, length) => (strides.push(stride), stride * length), 1);
  for (let at = 0; at < data.length; at++) {
    let from = 0;
    for (let axis = 0; axis < shape.length; axis++) from += (index[axis] ?? 0) * (strides[axis] ?? 0);
    ordered[at] = data[from] as never;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next < (shape[axis] ?? 0) ? next : 0;
      if (next < (shape[axis] ?? 0)) break;
    }
  }
  return ordered;
}

function typeOf(data: NumberArray): ElementType {
  for (const [name, { array }] of Object.entries(elements)) if (data instanceof array) return name as ElementType;
  throw new TypeError('an NPY array holds numbers of one type');
}
