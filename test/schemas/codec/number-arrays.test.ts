/** Arrays of numbers are the library's, byte for byte, whatever their length. */
import avro from 'avsc';
import { describe, expect, it } from 'vitest';
import { numberArrayOf } from '../../../schemas/codec/number-arrays.ts';
import { seededRandom } from '../../../statistics/random.ts';

const random = seededRandom('number-arrays');
const special = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, 1e300, 0.1];

describe.each(['double', 'float'] as const)('an array of %s', (items) => {
  const schema = { type: 'record', name: 'r', fields: [{ name: 'v', type: { type: 'array', items } }] } as const;
  const theirs = avro.Type.forSchema(schema as never, { registry: {} });
  const ours = avro.Type.forSchema(schema as never, { registry: {}, typeHook: numberArrayOf });

  it.each([0, 1, 7, 8, 9, 2_047, 2_048, 2_049, 5_000])(
    'of %d values has the same bytes and the same values',
    (length) => {
      const v = Array.from({ length }, (_, at) => special[at] ?? random.normal());
      const bytes = theirs.toBuffer({ v });
      expect(ours.toBuffer({ v }).equals(bytes)).toBe(true);
      expect(ours.fromBuffer(bytes)).toEqual(theirs.fromBuffer(bytes));
      expect(ours.encode({ v }, Buffer.alloc(3))).toBe(theirs.encode({ v }, Buffer.alloc(3)));
    },
  );

  it('may come in blocks, with and without their size', () => {
    const width = items === 'double' ? 8 : 4;
    const block = (count: number, sized: boolean): Buffer => {
      const numbers = Buffer.concat([theirs.toBuffer({ v: Array.from({ length: count }, (_, at) => at) })]);
      const body = numbers.subarray(numbers.length - 1 - width * count, numbers.length - 1);
      const long = (value: number): Buffer => avro.Type.forSchema('long').toBuffer(value);
      return Buffer.concat([long(sized ? -count : count), ...(sized ? [long(body.length)] : []), body]);
    };
    const bytes = Buffer.concat([block(3, true), block(20, false), block(12, true), Buffer.of(0)]);
    expect(ours.fromBuffer(bytes)).toEqual(theirs.fromBuffer(bytes));
  });

  it('that is cut off, or says more than there is, is refused', () => {
    const bytes = theirs.toBuffer({ v: Array.from({ length: 20 }, (_, at) => at) });
    expect(() => ours.fromBuffer(bytes.subarray(0, 30)) as unknown).toThrow('truncated');
    const huge = Buffer.concat([avro.Type.forSchema('long').toBuffer(2 ** 40), bytes]);
    expect(() => ours.fromBuffer(huge) as unknown).toThrow('truncated');
  });

  it('with something else among its values is refused', () => {
    expect(() => ours.toBuffer({ v: [...special, 'x'] })).toThrow('invalid');
  });

  it('of a writer whose numbers are whole is read', () => {
    const whole = { ...schema, fields: [{ name: 'v', type: { type: 'array', items: 'int' } }] };
    const writer = avro.Type.forSchema(whole as never, { registry: {} });
    const v = Array.from({ length: 30 }, (_, at) => at);
    expect(ours.fromBuffer(writer.toBuffer({ v }), ours.createResolver(writer))).toEqual({ v });
  });
});
