import { InferenceSession, Tensor } from 'onnxruntime-node';
import { onnx } from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import {
  encodeLinearRegression,
  encodeOnnxModel,
  encodeTreeEnsemble,
  type OnnxModel,
  type RegressionTree,
} from '../../sdk/onnx/index.ts';

/** Left of 0.5 on feature 1: -2; right of it, by feature 0 at 10: 3 or 7. */
const tree: RegressionTree = {
  feature: Int32Array.of(1, 0, 0, 0, 0),
  threshold: Float32Array.of(0.5, 0, 10, 0, 0),
  left: Int32Array.of(1, -1, 3, -1, -1),
  right: Int32Array.of(2, -1, 4, -1, -1),
  value: Float32Array.of(0, -2, 0, 3, 7),
};

const everyAttribute: OnnxModel = {
  graphName: 'every-attribute',
  nodes: [
    {
      operator: 'Anything',
      domain: 'example',
      inputs: ['x', 'numbers'],
      outputs: ['y'],
      attributes: {
        anInt: { type: 'int', value: -3 },
        aFloat: { type: 'float', value: 0.25 },
        aString: { type: 'string', value: 'größe' },
        ints: { type: 'ints', value: [0, 1, 300, -1] },
        floats: { type: 'floats', value: [1.5, -2] },
        strings: { type: 'strings', value: ['a', '', 'c'] },
      },
    },
  ],
  initializers: [{ name: 'numbers', shape: [2, 1], values: BigInt64Array.of(-1n, 2n ** 40n) }],
  inputs: [{ name: 'x', elementType: 'float32', shape: ['N', 2] }],
  outputs: [{ name: 'y', elementType: 'int64', shape: [4] }],
  operatorSets: { '': 17, example: 2 },
  metadata: { unit: 'USD' },
};

async function run(model: Uint8Array, rows: readonly (readonly number[])[]): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(model);
  const values = Float32Array.from(rows.flat());
  const feeds = { features: new Tensor('float32', values, [rows.length, values.length / rows.length]) };
  return { ...(await session.run(feeds)) };
}

describe('encodeOnnxModel', () => {
  it('is read back by an independent reader with every field in its place', () => {
    const read = onnx.ModelProto.decode(encodeOnnxModel(everyAttribute));
    const plain = onnx.ModelProto.toObject(read, { longs: Number, bytes: Array, arrays: true });
    expect(plain['irVersion']).toBe(8);
    expect(plain['opsetImport']).toEqual([
      { domain: '', version: 17 },
      { domain: 'example', version: 2 },
    ]);
    expect(plain['metadataProps']).toEqual([{ key: 'unit', value: 'USD' }]);
    expect(plain['graph'].name).toBe('every-attribute');
    const [node] = plain['graph'].node;
    expect(node).toMatchObject({ opType: 'Anything', domain: 'example', input: ['x', 'numbers'], output: ['y'] });
    const { AttributeType } = onnx.AttributeProto;
    expect(node.attribute).toMatchObject([
      { name: 'anInt', type: AttributeType.INT, i: -3 },
      { name: 'aFloat', type: AttributeType.FLOAT, f: 0.25 },
      { name: 'aString', type: AttributeType.STRING, s: [...Buffer.from('größe')] },
      { name: 'ints', type: AttributeType.INTS, ints: [0, 1, 300, -1] },
      { name: 'floats', type: AttributeType.FLOATS, floats: [1.5, -2] },
      { name: 'strings', type: AttributeType.STRINGS, strings: [[97], [], [99]] },
    ]);
    const [tensor] = plain['graph'].initializer;
    expect(tensor).toMatchObject({ name: 'numbers', dataType: onnx.TensorProto.DataType.INT64, dims: [2, 1] });
    expect(new BigInt64Array(Uint8Array.from(tensor.rawData).buffer)).toEqual(BigInt64Array.of(-1n, 2n ** 40n));
    const { FLOAT, INT64 } = onnx.TensorProto.DataType;
    expect(plain['graph'].input).toMatchObject([
      { name: 'x', type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimParam: 'N' }, { dimValue: 2 }] } } } },
    ]);
    expect(plain['graph'].output).toMatchObject([
      { name: 'y', type: { tensorType: { elemType: INT64, shape: { dim: [{ dimValue: 4 }] } } } },
    ]);
  });

  it('writes the same bytes each time, in a buffer of their own', () => {
    const first = encodeOnnxModel(everyAttribute);
    expect(encodeOnnxModel(everyAttribute)).toEqual(first);
    expect(first.buffer.byteLength).toBe(first.byteLength);
  });

  it('refuses a node that reads what nothing gives, and an output that nothing writes', () => {
    expect(() => encodeOnnxModel({ ...everyAttribute, initializers: [] })).toThrow(/Anything reads 'numbers'/);
    expect(() => encodeOnnxModel({ ...everyAttribute, nodes: [] })).toThrow(/output 'y' is given by no node/);
  });

  it('refuses a tensor whose values do not fill its shape', () => {
    const initializers = [{ name: 'numbers', shape: [3], values: BigInt64Array.of(1n) }];
    expect(() => encodeOnnxModel({ ...everyAttribute, initializers })).toThrow(/shape \[3\] needs 3 values, got 1/);
  });
});

describe('encodeLinearRegression', () => {
  it('computes intercept plus weighted sum', async () => {
    const { prediction } = await run(encodeLinearRegression({ coefficients: [2, -1], intercept: 0.5 }), [
      [1, 2],
      [3, 0],
    ]);
    expect(prediction).toMatchObject({ dims: [2, 1], type: 'float32', data: Float32Array.of(0.5, 6.5) });
  });

  it('clips the score before the exponential', async () => {
    const model = encodeLinearRegression({
      coefficients: [1],
      intercept: 0,
      clip: { min: -1, max: 2 },
      targetTransform: 'log',
      outputName: 'price',
    });
    const { price } = await run(model, [[-50], [0], [50]]);
    const expected = [Math.exp(-1), 1, Math.exp(2)];
    Array.from(price!.data as Float32Array).forEach((value, row) => expect(value).toBeCloseTo(expected[row]!, 5));
  });

  it('refuses clip bounds in the wrong order', () => {
    const clip = { min: 2, max: 1 };
    expect(() => encodeLinearRegression({ coefficients: [1], intercept: 0, clip })).toThrow(/clip.min 2/);
  });
});

describe('encodeTreeEnsemble', () => {
  it('sends a value equal to a threshold left, and adds base and trees', async () => {
    const model = encodeTreeEnsemble({ featureCount: 2, baseValue: 100, trees: [tree, tree] });
    const rows = [
      [0, 0.5],
      [10, 0.500001],
      [10.00001, 1],
    ];
    expect((await run(model, rows))['prediction']).toMatchObject({ dims: [3, 1], data: Float32Array.of(96, 106, 114) });
  });

  it('refuses what the runtime would read outside of, or loop in', () => {
    const encode = (broken: Partial<RegressionTree>): Uint8Array =>
      encodeTreeEnsemble({ featureCount: 2, baseValue: 0, trees: [{ ...tree, ...broken }] });
    expect(() => encode({ feature: Int32Array.of(2, 0, 0, 0, 0) })).toThrow(/node 0 reads feature 2, expected 0 to 1/);
    expect(() => encode({ right: Int32Array.of(2, -1, 0, -1, -1) })).toThrow(/node 2 has child 0, expected 3 to 4/);
    expect(() => encode({ right: Int32Array.of(9, -1, 4, -1, -1) })).toThrow(/node 0 has child 9/);
    expect(() => encode({ threshold: Float32Array.of(1) })).toThrow(/differ in length/);
    expect(() => encodeTreeEnsemble({ featureCount: 2, baseValue: 0, trees: [] })).toThrow(/at least one tree/);
  });
});
