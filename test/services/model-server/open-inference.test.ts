import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Datatype, hasCode, type Tensor } from '../../../runtime/ports/index.ts';
import { formatInferResponse, parseInferRequest } from '../../../services/model-server/open-inference/index.ts';

const input = (fields: Record<string, unknown>): unknown => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 2], data: [1, 2, 3, 4], ...fields }],
});
const parsed = (fields: Record<string, unknown>): Tensor => parseInferRequest(input(fields)).inputs[0]!;
const ofJson = (data: string, datatype: Datatype, shape: readonly number[]): Tensor =>
  parseInferRequest(
    JSON.parse(`{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${shape.join()}],"data":${data}}]}`),
  ).inputs[0]!;
const failure = (call: () => unknown): { code: string; message: string } => {
  try {
    call();
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT', 'UNSUPPORTED', 'TOO_LARGE')) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('parseInferRequest', () => {
  it('takes the example of the protocol: id, parameters, inputs, outputs', () => {
    const request = parseInferRequest({
      id: '42',
      parameters: { priority: 1, trace: true, note: 'n' },
      inputs: [
        { name: 'input0', shape: [2, 2], datatype: 'UINT32', data: [1, 2, 3, 4], parameters: { content_type: 'np' } },
        { name: 'input1', shape: [3], datatype: 'BOOL', data: [true, false, 1] },
      ],
      outputs: [{ name: 'output0' }],
    });
    expect(request).toEqual({
      id: '42',
      parameters: { priority: 1, trace: true, note: 'n' },
      inputs: [
        { name: 'input0', shape: [2, 2], datatype: 'UINT32', data: Uint32Array.of(1, 2, 3, 4) },
        { name: 'input1', shape: [3], datatype: 'BOOL', data: [true, false, true] },
      ],
      outputs: ['output0'],
    });
  });

  it('reads nested data as it reads flat data', () => {
    expect(
      parsed({
        data: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toEqual(parsed({}));
    expect(
      parsed({
        shape: [1, 2, 2],
        data: [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      }).data,
    ).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it.each([
    ['a row cut short', [[1, 2], [3]], /value 2.*a list of 1/],
    [
      'a row too many',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      /a list of 2 at depth 1.*got a list of 3/,
    ],
    ['a level too few', [[1, 2, 3, 4]], /a list of 2 at depth 1/],
    [
      'a level too many',
      [
        [[1], [2]],
        [[3], [4]],
      ],
      /value 0 must be a number.*got \[1\]/,
    ],
    ['a list among values', [1, [2], 3, 4], /value 1 must be a number.*got \[2\]/],
  ])('refuses nested data with %s', (_, data, message) => {
    const { code, message: text } = failure(() => parsed({ data }));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(text).toContain("'x'");
    expect(text).toMatch(message);
  });

  it('takes an empty batch and a scalar', () => {
    expect(parsed({ shape: [0, 4], data: [] }).data).toEqual(new Float32Array(0));
    expect(parsed({ shape: [], data: [7] }).data).toEqual(Float32Array.of(7));
    expect(parsed({ shape: [2, 0], data: [[], []] }).data).toHaveLength(0);
  });

  it.each<[Datatype, string, unknown]>([
    ['BOOL', '[true,false]', [true, false]],
    ['UINT8', '[0,255]', Uint8Array.of(0, 255)],
    ['UINT16', '[0,65535]', Uint16Array.of(0, 65535)],
    ['UINT32', '[0,4294967295]', Uint32Array.of(0, 2 ** 32 - 1)],
    ['UINT64', '[0,"18446744073709551615"]', BigUint64Array.of(0n, 2n ** 64n - 1n)],
    ['INT8', '[-128,127]', Int8Array.of(-128, 127)],
    ['INT16', '[-32768,32767]', Int16Array.of(-32768, 32767)],
    ['INT32', '[-2147483648,2147483647]', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ['INT64', '[9007199254740991,"-9223372036854775808"]', BigInt64Array.of(2n ** 53n - 1n, -(2n ** 63n))],
    ['FP16', '[1.5,65504]', Uint16Array.of(0x3e00, 0x7bff)],
    ['FP32', '[1.5,3.4028234663852886e38]', Float32Array.of(1.5, 3.4028234663852886e38)],
    ['FP64', '[0.1,1e308]', Float64Array.of(0.1, 1e308)],
    ['BYTES', '["","größe ✓"]', ['', 'größe ✓']],
  ])('reads %s', (datatype, json, data) => {
    expect(ofJson(json, datatype, [2]).data).toEqual(data);
  });

  it.each<[Datatype, string]>([
    ['BOOL', '["true"]'],
    ['BOOL', '[2]'],
    ['UINT8', '[256]'],
    ['UINT8', '[-1]'],
    ['UINT16', '[65536]'],
    ['UINT32', '[4294967296]'],
    ['UINT64', '[-1]'],
    ['UINT64', '["18446744073709551616"]'],
    ['INT8', '[128]'],
    ['INT16', '[1.5]'],
    ['INT32', '["1"]'],
    ['INT64', '[9007199254740993]'],
    ['INT64', '["9223372036854775808"]'],
    ['INT64', '["0x10"]'],
    ['INT64', '[""]'],
    ['FP16', '[65520]'],
    ['FP32', '[3.5e38]'],
    ['FP32', '[1e999]'],
    ['FP32', '["1.5"]'],
    ['FP32', '["nan"]'],
    ['FP32', '[null]'],
    ['FP32', '[true]'],
    ['FP64', '[1e999]'],
    ['BYTES', '[5]'],
    ['BYTES', '[null]'],
  ])('refuses %s data %s, and names the tensor, the value and the datatype', (datatype, json) => {
    const { code, message } = failure(() => ofJson(json, datatype, [1]));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toMatch(/^input 'x': value 0 must be .*, got /);
  });

  it('reads NaN and infinities as texts, in floating-point data only', () => {
    const texts = '["NaN","Infinity","-Infinity"]';
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(ofJson(texts, 'FP32', [3]).data).toEqual(Float32Array.from(values));
    expect(ofJson(texts, 'FP64', [3]).data).toEqual(Float64Array.from(values));
    expect(ofJson(texts, 'FP16', [3]).data).toEqual(Uint16Array.of(0x7e00, 0x7c00, 0xfc00));
    expect(failure(() => ofJson(texts, 'INT32', [3])).message).toContain('"NaN"');
  });

  it.each([
    ['no object', 'text', /body must be an object/],
    ['null', null, /body must be an object, got null/],
    ['a list', [], /body must be an object, got a list/],
    ['no inputs', {}, /'inputs' must be a list of tensors, got nothing/],
    ['an input that is no object', { inputs: [5] }, /inputs\[0\] must be an object/],
    ['a number as id', { id: 5, inputs: [] }, /'id' must be a text/],
    ['a list as parameter', { parameters: { p: [] }, inputs: [] }, /'p' must be a text, a number or a boolean/],
    ['outputs without name', { inputs: [], outputs: [{}] }, /outputs\[0\]: 'name'/],
    ['no name', input({ name: undefined }), /inputs\[0\]: 'name' must be a text/],
    ['an unknown datatype', input({ datatype: 'FLOAT' }), /'x': 'datatype' must be one of BOOL.*got "FLOAT"/],
    ['no shape', input({ shape: undefined }), /'x': 'shape' must be a list.*got nothing/],
    ['a negative size', input({ shape: [-1, 4] }), /'x': 'shape' must hold whole numbers of at least 0, got -1/],
    ['a fraction as size', input({ shape: [0.5] }), /got 0.5/],
    ['nine dimensions', input({ shape: [1, 1, 1, 1, 1, 1, 1, 1, 4] }), /9 dimensions, at most 8/],
    ['values that do not fill the shape', input({ shape: [3, 2] }), /shape \[3, 2\] needs 6 values, 'data' has 4/],
    ['no data', input({ data: undefined }), /'x': 'data' must be a list, got nothing/],
  ])('refuses a body with %s', (_, body, message) => {
    const { code, message: text } = failure(() => parseInferRequest(body));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(text).toMatch(message);
  });

  it('refuses shapes whose product is absurd, beyond what a double counts too', () => {
    expect(failure(() => parsed({ shape: [2 ** 53 - 1, 2 ** 53 - 1, 2 ** 53 - 1] })).code).toBe('TOO_LARGE');
    expect(failure(() => parsed({ shape: [4097, 4096] })).code).toBe('TOO_LARGE');
    expect(failure(() => parseInferRequest(input({}), { elementsMax: 3 })).message).toContain('4 values, at most 3');
  });

  it('refuses binary data that is not there, and too many tensors', () => {
    const described = { data: undefined, parameters: { binary_data_size: 16 } };
    expect(failure(() => parsed(described)).message).toContain(
      'is the header Inference-Header-Content-Length missing?',
    );
    expect(failure(() => parseInferRequest({ inputs: Array(257).fill({}) })).message).toContain('at most 256');
  });

  it('lets no parameter reach the prototype', () => {
    const { parameters } = parseInferRequest(JSON.parse('{"parameters":{"__proto__":"p"},"inputs":[]}'));
    expect(Object.getPrototypeOf(parameters)).toBe(Object.prototype);
    expect(Object.keys(parameters ?? {})).toEqual(['__proto__']);
  });

  it('answers any JSON with a request or an error of its own', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (shape, data, datatype) => {
        for (const body of [shape, input({ shape, data }), input({ data }), input({ datatype, shape })]) {
          try {
            parseInferRequest(body);
          } catch (error) {
            expect(hasCode(error, 'INVALID_ARGUMENT', 'TOO_LARGE')).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatInferResponse', () => {
  it('writes the fields of the protocol, and leaves out what is not given', () => {
    const outputs: Tensor[] = [{ name: 'y', datatype: 'INT32', shape: [1, 2], data: Int32Array.of(1, -2) }];
    expect(formatInferResponse({ modelName: 'm', outputs })).toEqual({
      model_name: 'm',
      outputs: [{ name: 'y', datatype: 'INT32', shape: [1, 2], data: [1, -2] }],
    });
    expect(
      formatInferResponse({ modelName: 'm', modelVersion: '3', id: 'i', parameters: { p: 1 }, outputs: [] }),
    ).toEqual({ model_name: 'm', model_version: '3', id: 'i', parameters: { p: 1 }, outputs: [] });
  });

  it('writes NaN and infinities as the texts that requests may hold', () => {
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5];
    expect(dataOf('FP32', Float32Array.from(values))).toEqual(['NaN', 'Infinity', '-Infinity', 0.5]);
    expect(dataOf('FP64', Float64Array.from(values))).toEqual(['NaN', 'Infinity', '-Infinity', 0.5]);
    expect(dataOf('FP16', Uint16Array.of(0x7e00, 0x7c00, 0xfc00, 0x3800))).toEqual([
      'NaN',
      'Infinity',
      '-Infinity',
      0.5,
    ]);
  });

  it('writes 64-bit integers as numbers while they are exact, else as text', () => {
    expect(dataOf('INT64', BigInt64Array.of(2n ** 53n - 1n, 2n ** 53n, -(2n ** 63n)))).toEqual([
      2 ** 53 - 1,
      '9007199254740992',
      '-9223372036854775808',
    ]);
    expect(dataOf('UINT64', BigUint64Array.of(2n ** 64n - 1n))).toEqual(['18446744073709551615']);
  });

  it('is read back as the same tensor, for every datatype', () => {
    const tensors: Tensor[] = [
      { name: 'BOOL', datatype: 'BOOL', shape: [2], data: [true, false] },
      { name: 'UINT8', datatype: 'UINT8', shape: [1], data: Uint8Array.of(255) },
      { name: 'UINT16', datatype: 'UINT16', shape: [1], data: Uint16Array.of(65535) },
      { name: 'UINT32', datatype: 'UINT32', shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
      { name: 'UINT64', datatype: 'UINT64', shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
      { name: 'INT8', datatype: 'INT8', shape: [1], data: Int8Array.of(-128) },
      { name: 'INT16', datatype: 'INT16', shape: [1], data: Int16Array.of(-5) },
      { name: 'INT32', datatype: 'INT32', shape: [1, 1], data: Int32Array.of(-6) },
      { name: 'INT64', datatype: 'INT64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 5n) },
      { name: 'FP16', datatype: 'FP16', shape: [4], data: Uint16Array.of(1, 0x3c01, 0x7bff, 0x7c00) },
      { name: 'FP32', datatype: 'FP32', shape: [3], data: Float32Array.of(0.1, 1e-45, Number.NaN) },
      { name: 'FP64', datatype: 'FP64', shape: [2], data: Float64Array.of(0.1, Number.NEGATIVE_INFINITY) },
      { name: 'BYTES', datatype: 'BYTES', shape: [2], data: ['', 'naïve 𝄞'] },
    ];
    const body = JSON.parse(JSON.stringify(formatInferResponse({ modelName: 'm', outputs: tensors })));
    expect(parseInferRequest({ inputs: body.outputs }).inputs).toEqual(tensors);
  });
});

function dataOf(datatype: Datatype, data: Tensor['data']): unknown {
  const outputs = [{ name: 'y', datatype, shape: [data.length], data }];
  return formatInferResponse({ modelName: 'm', outputs }).outputs[0]?.data;
}
