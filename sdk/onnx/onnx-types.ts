/** The parts of an ONNX graph, as plain data. */

/** A dimension: a size, or the name of a size known only at run time (`'N'` for the batch). */
export type OnnxDimension = number | string;

export type OnnxElementType = 'float32' | 'int64';

export interface OnnxValueInfo {
  readonly name: string;
  readonly elementType: OnnxElementType;
  readonly shape: readonly OnnxDimension[];
}

/** A constant tensor, row-major. `BigInt64Array` becomes int64, `Float32Array` float32. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | BigInt64Array;
}

/** `type` names the field of `AttributeProto`. */
export type OnnxAttribute =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'ints'; readonly value: ArrayLike<number> }
  | { readonly type: 'floats'; readonly value: ArrayLike<number> }
  | { readonly type: 'strings'; readonly value: readonly string[] };

export interface OnnxNode {
  readonly operator: string;
  /** @default '' the standard operators; `'ai.onnx.ml'` for trees and other classic models */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Written in the order of the object's keys. */
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxModel {
  readonly graphName: string;
  /** In an order in which every node's inputs exist before it. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** Domain to version. @default {@link defaultOperatorSets} */
  readonly operatorSets?: Readonly<Record<string, number>>;
  /** `ModelProto.metadata_props`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** ir_version 8 and these sets are read by every onnxruntime since 1.12. */
export const defaultOperatorSets: Readonly<Record<string, number>> = { '': 17, 'ai.onnx.ml': 3 };
