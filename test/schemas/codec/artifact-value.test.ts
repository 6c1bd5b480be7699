import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeArtifact, encodeArtifact } from '../../../schemas/codec/artifact-value.ts';

const roundTrip = (value: unknown): unknown => {
  const { codec, bytes } = encodeArtifact('x', value);
  return decodeArtifact(codec, bytes);
};

describe('artifact values', () => {
  it('come back as they were, whatever JSON would lose', () => {
    const value = {
      plain: [1, 'a', true, null],
      odd: [Number.NaN, Number.POSITIVE_INFINITY, -0, undefined],
      when: new Date(5),
      map: new Map([['k', new Set([1n])]]),
      x: new Float32Array([1.5, 2]),
      deep: { y: new Float64Array([Math.PI]), z: new Uint8Array([1, 2, 3]), empty: new Int16Array() },
      $millrace: 'mine',
    };
    expect(roundTrip(value)).toEqual(value);
    expect(Object.is((roundTrip(value) as typeof value).odd[2], -0)).toBe(true);
  });

  it('name their codec by what they hold', () => {
    expect(encodeArtifact('x', { a: 1 })).toEqual({ codec: 'json', bytes: Buffer.from('{"a":1}') });
    expect(encodeArtifact('x', new Uint8Array([7])).codec).toBe('bytes');
    expect(encodeArtifact('x', [new Uint8Array([7])]).codec).toBe('json+bytes');
  });

  it('survive as any JSON and any bytes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.float64Array(), (json, numbers) => {
        expect(roundTrip({ json, numbers })).toEqual({ json, numbers });
      }),
    );
  });

  it.each<[string, unknown, string]>([
    ['a function', { model: { predict: () => 1 } }, "'x.model.predict' cannot be stored: it is a function"],
    ['an instance', { list: [new URL('http://x')] }, "'x.list[0]' cannot be stored: it is a URL"],
    ['a promise', { p: Promise.resolve(1) }, "'x.p' cannot be stored: it is a promise (await it)"],
    ['a symbol', Symbol('s'), "'x' cannot be stored: it is a symbol"],
  ])('refuse %s and say where it is', (_, value, message) => {
    expect(() => encodeArtifact('x', value)).toThrow(message);
  });

  it('refuse what contains itself', () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    expect(() => encodeArtifact('x', loop)).toThrow("'x.self' cannot be stored: it contains itself");
  });

  it('refuse bytes that claim more than there is', () => {
    const { bytes } = encodeArtifact('x', [new Uint8Array([7, 8])]);
    expect(() => decodeArtifact('json+bytes', bytes.subarray(0, bytes.length - 1))).toThrow('beyond the end');
    expect(() => decodeArtifact('pickle', bytes)).toThrow("no artifact codec 'pickle'");
  });
});
