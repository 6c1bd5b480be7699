/** The models of the suite as plain functions. */
import { createFunctionRuntime, functionModelFile } from '../../../runtime/adapters/function-model/function-runtime.ts';
import type { FunctionModelDefinition } from '../../../runtime/adapters/function-model/function-model.ts';
import type { Datatype, ModelSignature, Tensor, TensorSpec } from '../../../runtime/ports/index.ts';
import type { ModelName, ModelRuntimeFixture } from './fixture.ts';

export const functionModels: readonly (FunctionModelDefinition & { readonly name: ModelName })[] = [
  {
    name: 'two-in-four-out',
    signature: {
      inputs: [spec('a', 'FP32', -1, 3), spec('b', 'FP32', -1, 3)],
      outputs: [
        spec('sum', 'FP32', -1, 3),
        spec('difference', 'FP32', -1, 3),
        spec('a_greater', 'BOOL', -1, 3),
        spec('total', 'FP32', -1),
      ],
      batch: 'dynamic',
    },
    run: (inputs) => {
      const [a, b] = [inputs['a']!, inputs['b']!];
      const [left, right] = [a.data as Float32Array, b.data as Float32Array];
      const { shape } = a;
      const sum = left.map((value, index) => value + right[index]!);
      const total = Float32Array.from({ length: shape[0]! }, (_, row) =>
        left.subarray(3 * row, 3 * row + 3).reduce((so, value) => so + value, 0),
      );
      return [
        { name: 'total', datatype: 'FP32', shape: [shape[0]!], data: total },
        { name: 'sum', datatype: 'FP32', shape, data: sum },
        { name: 'difference', datatype: 'FP32', shape, data: left.map((value, index) => value - right[index]!) },
        { name: 'a_greater', datatype: 'BOOL', shape, data: Array.from(left, (value, index) => value > right[index]!) },
      ];
    },
  },
  unary('dtype-int64', 'INT64', [-1, 4], (data) => (data as BigInt64Array).map((value) => 2n * value)),
  unary('dtype-float16', 'FP16', [-1, 4], (data) =>
    (data as Uint16Array).map((bits) => ((bits & 0x7c00) === 0 ? bits >> 1 : bits - 0x400)),
  ),
  {
    name: 'dtype-bool',
    signature: {
      inputs: [spec('x', 'BOOL', -1, 3)],
      outputs: [spec('y', 'BOOL', -1, 3), spec('n', 'INT64', -1, 3)],
      batch: 'dynamic',
    },
    run: ({ x }) => {
      const { shape, data } = x as Tensor & { data: readonly boolean[] };
      return [
        { name: 'y', datatype: 'BOOL', shape, data: data.map((value) => !value) },
        { name: 'n', datatype: 'INT64', shape, data: BigInt64Array.from(data, (value) => (value ? 1n : 0n)) },
      ];
    },
  },
  unary('dtype-string-echo', 'BYTES', [-1], (data) => data),
  unary('gives-nan-and-infinity', 'FP32', [-1], (data) => (data as Float32Array).map((value) => value / 0)),
  unary('scalar-rank-0', 'FP32', [], (data) => (data as Float32Array).map((value) => 2 * value), 'none'),
  {
    name: 'fixed-batch-4',
    signature: { inputs: [spec('x', 'FP32', 4, 5)], outputs: [spec('y', 'FP32', 4, 2)], batch: 4 },
    run: () => [{ name: 'y', datatype: 'FP32', shape: [4, 2], data: new Float32Array(8) }],
  },
];

export function functionFixture(): ModelRuntimeFixture {
  const runtime = createFunctionRuntime(functionModels);
  return {
    load: (name) => runtime.load(functionModelFile(name)),
    loadRefused: (bytes) => runtime.load(bytes),
    refusedFiles: [
      { bytes: new Uint8Array(0), says: /does not name a function/ },
      { bytes: Buffer.from('#!/bin/sh'), says: /does not name a function/ },
      { bytes: functionModelFile('nobody'), says: /no function "nobody"; there are: two-in-four-out/ },
      {
        bytes: Buffer.concat([functionModelFile('scalar-rank-0'), Buffer.alloc(1_000)]),
        says: /does not name a function/,
      },
    ],
  };
}

function spec(name: string, datatype: Datatype, ...shape: number[]): TensorSpec {
  return { name, datatype, shape };
}

function unary(
  name: ModelName,
  datatype: Datatype,
  shape: readonly number[],
  compute: (data: Tensor['data']) => Tensor['data'],
  batch: ModelSignature['batch'] = 'dynamic',
): FunctionModelDefinition & { readonly name: ModelName } {
  return {
    name,
    signature: { inputs: [spec('x', datatype, ...shape)], outputs: [spec('y', datatype, ...shape)], batch },
    run: (inputs) => {
      const x = inputs['x']!;
      return [{ name: 'y', datatype, shape: x.shape, data: compute(x.data) }];
    },
  };
}
