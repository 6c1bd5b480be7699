import { describe, expect, it } from 'vitest';
import { ArrowTable, decodeArtifact, encodeArtifact, headProblem } from '../../../schemas/codec/artifact-value.ts';
import { decodeNpy, encodeNpy, NdArray } from '../../../schemas/codec/npy.ts';

/** Files that numpy 2.4 wrote: `numpy.save` of what each name says, base64. */
const fromNumpy = {
  'arange(6, dtype=float64).reshape(2, 3)':
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAPA/AAAAAAAAAEAAAAAAAAAIQAAAAAAAABBAAAAAAAAAFEA=',
};

describe('NPY arrays', () => {
  it('are read as numpy wrote them', () => {
    const array = decodeNpy(Buffer.from(fromNumpy['arange(6, dtype=float64).reshape(2, 3)'], 'base64'));
    expect(array).toEqual(new NdArray(new Float64Array([0, 1, 2, 3, 4, 5]), [2, 3]));
  });

  it('are written as numpy writes them, byte by byte', () => {
    const array = new NdArray(new Float64Array([0, 1, 2, 3, 4, 5]), [2, 3]);
    expect(encodeNpy(array).toString('base64')).toBe(fromNumpy['arange(6, dtype=float64).reshape(2, 3)']);
  });

  it.each<[string, NdArray]>([
    ['64-bit integers', new NdArray(new BigInt64Array([1n, -2n]))],
    ['truth values', new NdArray(new Uint8Array([1, 0, 1]), [3], 'bool')],
    ['a single number', new NdArray(new Float32Array([1.5]), [])],
    ['nothing', new NdArray(new Int32Array(), [0, 4])],
    ['three dimensions', new NdArray(new Uint16Array([1, 2, 3, 4, 5, 6, 7, 8]), [2, 2, 2])],
  ])('come back: %s', (_, array) => {
    expect(encodeArtifact('x', array).codec).toBe('npy');
    expect(decodeArtifact('npy', encodeNpy(array))).toEqual(array);
  });

  it('are read in column order and in the other byte order', () => {
    const header = (text: string) => {
      const start = Buffer.from(`\u0093NUMPY\u0001\u0000\u0000\u0000`, 'latin1');
      const body = Buffer.from(`${text}\n`, 'latin1');
      start.writeUInt16LE(body.length, 8);
      return Buffer.concat([start, body]);
    };
    const columns = Buffer.alloc(12);
    [1, 4, 2, 5, 3, 6].forEach((value, index) => columns.writeInt16BE(value, 2 * index));
    const bytes = Buffer.concat([header("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }"), columns]);
    expect(decodeNpy(bytes)).toEqual(new NdArray(new Int16Array([1, 2, 3, 4, 5, 6]), [2, 3]));
  });

  it('of objects are refused, and so are files that are cut', () => {
    const good = encodeNpy(new NdArray(new Float64Array([1, 2])));
    const objects = Buffer.from(good.toString('latin1').replace('<f8', '|O '), 'latin1');
    expect(() => decodeNpy(objects)).toThrow('is not of numbers');
    expect(() => decodeNpy(good.subarray(0, good.length - 1))).toThrow('has 16 bytes, got 15');
    expect(() => decodeNpy(Buffer.from('PK\u0003\u0004 and so on', 'latin1'))).toThrow('no NPY file');
    expect(() => new NdArray(new Float64Array(5), [2, 3])).toThrow('has 6 elements, got 5');
  });
});

describe('Arrow tables', () => {
  it('keep their codec, and other bytes are refused', () => {
    const table = new ArrowTable([...Buffer.from('ARROW1\u0000\u0000'), 1, 2]);
    const { codec, bytes } = encodeArtifact('x', table);
    expect(codec).toBe('arrow');
    expect(decodeArtifact(codec, bytes)).toEqual(table);
    expect(() => encodeArtifact('x', new ArrowTable([1, 2, 3]))).toThrow('Arrow IPC bytes');
  });

  it('and ONNX models are known by their beginning', () => {
    expect(headProblem('onnx', Buffer.from('PK'))).toContain('an ONNX model');
    expect(headProblem('onnx', Buffer.from([8, 7]))).toBeUndefined();
    expect(headProblem('json', Buffer.from('x'))).toBeUndefined();
  });
});
