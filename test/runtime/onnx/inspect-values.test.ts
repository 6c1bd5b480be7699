import { describe, expect, it } from 'vitest';
import { inspectOnnx } from '../../../runtime/adapters/onnx/inspect.ts';
import type { RefusalReason } from '../../../runtime/adapters/onnx/refusal.ts';
import {
  type Field,
  graph,
  identity,
  message,
  model,
  sparse,
  tensor,
  tensorType,
  twoFloats,
  twoIndices,
  valueInfo,
  varint,
  withInitializer,
} from './onnx-writer.ts';
import { refusal } from './refusal-of.ts';

describe('inspectOnnx, on constants and declared values', () => {
  it.each<[string, readonly Field[], RefusalReason]>([
    [
      'fewer bytes than its shape',
      [
        [1, 3],
        [2, 1],
        [9, new Uint8Array(8)],
      ],
      'tensor-size',
    ],
    [
      'more bytes than its shape',
      [
        [1, 3],
        [2, 1],
        [9, new Uint8Array(16)],
      ],
      'tensor-size',
    ],
    [
      'no data',
      [
        [1, 3],
        [2, 1],
      ],
      'tensor-size',
    ],
    [
      'data in the field of another type',
      [
        [1, 1],
        [2, 1],
        [7, varint(5)],
      ],
      'tensor-size',
    ],
    [
      'texts as raw bytes',
      [
        [1, 1],
        [2, 8],
        [9, new Uint8Array(8)],
      ],
      'tensor-size',
    ],
    [
      'fewer packed integers than its shape',
      [
        [1, 4],
        [2, 7],
        [7, Buffer.from([1, 2, 128, 1])],
      ],
      'tensor-size',
    ],
    [
      'its data twice',
      [
        [1, 1],
        [2, 1],
        [4, new Uint8Array(4)],
        [9, new Uint8Array(4)],
      ],
      'malformed',
    ],
    [
      'a size below zero',
      [
        [1, -1],
        [2, 1],
        [9, new Uint8Array(4)],
      ],
      'absurd-shape',
    ],
    [
      'sizes whose product overflows 64 bits',
      [
        [1, 2n ** 62n],
        [1, 4],
        [2, 1],
        [9, new Uint8Array(4)],
      ],
      'absurd-shape',
    ],
    ['33 dimensions', [...Array<Field>(33).fill([1, 1]), [2, 1], [9, new Uint8Array(4)]], 'absurd-shape'],
    [
      'a data type that does not exist',
      [
        [1, 1],
        [2, 99],
        [9, new Uint8Array(4)],
      ],
      'malformed',
    ],
    [
      'no data type',
      [
        [1, 1],
        [9, new Uint8Array(4)],
      ],
      'malformed',
    ],
    [
      'a segment',
      [
        [1, 1],
        [2, 1],
        [3, message([1, 0], [2, 1])],
        [9, new Uint8Array(4)],
      ],
      'malformed',
    ],
  ])('refuses a constant with %s', (_, fields, reason) => {
    const { reason: got, message: text } = refusal(withInitializer(tensor(...fields)));
    expect([got, text]).toEqual([reason, expect.stringMatching(/initializer|graph/)]);
  });

  it.each<[string, readonly Field[]]>([
    [
      'raw floats',
      [
        [1, 3],
        [2, 1],
        [9, new Uint8Array(12)],
      ],
    ],
    [
      'packed floats',
      [
        [1, 3],
        [2, 1],
        [4, new Uint8Array(12)],
      ],
    ],
    [
      'packed integers of several bytes',
      [
        [1, 2],
        [2, 7],
        [7, Buffer.from([200, 1, 5])],
      ],
    ],
    [
      'integers one by one',
      [
        [1, 2],
        [2, 7],
        [7, 300],
        [7, 5],
      ],
    ],
    [
      'packed dimensions',
      [
        [1, Buffer.from([2, 3])],
        [2, 1],
        [9, new Uint8Array(24)],
      ],
    ],
    [
      'booleans',
      [
        [1, 2],
        [2, 9],
        [5, Buffer.from([1, 0])],
      ],
    ],
    [
      'half-precision numbers',
      [
        [1, 2],
        [2, 10],
        [9, new Uint8Array(4)],
      ],
    ],
    [
      'three 4-bit integers',
      [
        [1, 3],
        [2, 22],
        [9, new Uint8Array(2)],
      ],
    ],
    [
      'complex numbers',
      [
        [1, 2],
        [2, 14],
        [4, new Uint8Array(16)],
      ],
    ],
    [
      'texts',
      [
        [1, 2],
        [2, 8],
        [6, 'a'],
        [6, ''],
      ],
    ],
    [
      'no values',
      [
        [1, 0],
        [2, 1],
      ],
    ],
    [
      'a scalar',
      [
        [2, 1],
        [9, new Uint8Array(4)],
      ],
    ],
  ])('passes a constant of %s', (_, fields) => {
    expect(() => inspectOnnx(withInitializer(tensor(...fields)))).not.toThrow();
  });

  it('refuses sparse constants that unfold to gigabytes, or whose indices do not fit', () => {
    expect(refusal(model(graph([identity], [15, sparse(twoFloats, twoIndices, 100_000, 100_000)]))).reason).toBe(
      'absurd-shape',
    );
    const one = message([1, 1], [2, 7], [9, new Uint8Array(8)]);
    expect(refusal(model(graph([identity], [15, sparse(twoFloats, one, 9)]))).reason).toBe('tensor-size');
    expect(() => inspectOnnx(model(graph([identity], [15, sparse(twoFloats, twoIndices, 9)])))).not.toThrow();
  });

  it.each<[string, Uint8Array]>([
    ['a declared product beyond all memory', tensorType(1, [2 ** 20, 2 ** 20])],
    ['a size below -1', tensorType(1, [-2])],
    ['33 dimensions', tensorType(1, Array<number>(33).fill(1))],
  ])('refuses an input with %s', (_, type) => {
    expect(refusal(model(graph([identity], [11, valueInfo('x', type)]))).reason).toBe('absurd-shape');
  });

  it.each<[string, Uint8Array, string]>([
    ['a sequence', message([4, message([1, tensorType(1, ['N'])])]), 'seq(tensor(float))'],
    ['a map', message([5, message([1, 7], [2, tensorType(1)])]), 'map(int64,tensor(float))'],
    ['an optional', message([9, message([1, tensorType(1)])]), 'optional(tensor(float))'],
    ['bfloat16', tensorType(16, ['N']), 'tensor(bfloat16)'],
    ['no type', message(), 'no type'],
  ])('refuses an input that is %s, by its name', (_, type, text) => {
    const { reason, message: says } = refusal(model(graph([identity], [11, valueInfo('x', type)])));
    expect([reason, says]).toEqual(['unsupported-type', expect.stringContaining(`input "x": it is ${text}`)]);
  });

  it('refuses a model all of whose outputs are maps, and says how to export it', () => {
    const maps = message([4, message([1, message([5, message([1, 7], [2, tensorType(1)])])])]);
    const { reason, message: says } = refusal(model(graph([identity], [12, valueInfo('y', maps)])));
    expect([reason, says]).toEqual([
      'unsupported-type',
      expect.stringMatching(/seq\(map\(int64,tensor\(float\)\)\).*'zipmap': False/),
    ]);
  });
});
