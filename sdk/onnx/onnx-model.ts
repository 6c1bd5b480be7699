/**
 * Writes ONNX files, so that a step that trains in TypeScript can hand its model to any ONNX runtime.
 *
 * The wire format is protobuf; message and field numbers are those of `onnx.proto3`
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). Only what a feed-forward graph needs is here: nodes,
 * float32 and int64 initializers, dense tensor inputs and outputs, metadata. Same input, same bytes: the content
 * hash of an exported model says whether the model is the same.
 */
import protobuf from 'protobufjs/minimal.js';
import { writeAttribute } from './onnx-attribute.ts';
import {
  defaultOperatorSets,
  type OnnxDimension,
  type OnnxElementType,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from './onnx-types.ts';
import { bytes, nested, tag, varint } from './protobuf-fields.ts';

type Writer = protobuf.Writer;

const irVersion = 8;
const elementTypeNumbers: Readonly<Record<OnnxElementType, number>> = { float32: 1, int64: 7 };

/**
 * The bytes of an `.onnx` file.
 *
 * @throws RangeError when a tensor's values do not fill its shape, or a node reads a value that nothing before it gives.
 */
export function encodeOnnxModel(model: OnnxModel): Uint8Array {
  assertEveryInputExists(model);
  const writer = protobuf.Writer.create();
  writer.uint32(tag(1, varint)).int64(irVersion);
  writer.uint32(tag(2, bytes)).string('millrace');
  nested(writer, 7, () => writeGraph(writer, model));
  for (const [domain, version] of Object.entries(model.operatorSets ?? defaultOperatorSets)) {
    nested(writer, 8, () => {
      writer.uint32(tag(1, bytes)).string(domain);
      writer.uint32(tag(2, varint)).int64(version);
    });
  }
  for (const [key, value] of Object.entries(model.metadata ?? {})) {
    nested(writer, 14, () => {
      writer.uint32(tag(1, bytes)).string(key);
      writer.uint32(tag(2, bytes)).string(value);
    });
  }
  // A copy: protobufjs hands out slices of a shared pool, which would pin, and could leak, the pool's other bytes.
  return Uint8Array.from(writer.finish());
}

function writeGraph(writer: Writer, model: OnnxModel): void {
  for (const node of model.nodes) nested(writer, 1, () => writeNode(writer, node));
  writer.uint32(tag(2, bytes)).string(model.graphName);
  for (const tensor of model.initializers) nested(writer, 5, () => writeTensor(writer, tensor));
  for (const value of model.inputs) nested(writer, 11, () => writeValueInfo(writer, value));
  for (const value of model.outputs) nested(writer, 12, () => writeValueInfo(writer, value));
}

function writeNode(writer: Writer, node: OnnxNode): void {
  for (const input of node.inputs) writer.uint32(tag(1, bytes)).string(input);
  for (const output of node.outputs) writer.uint32(tag(2, bytes)).string(output);
  writer.uint32(tag(4, bytes)).string(node.operator);
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    nested(writer, 5, () => writeAttribute(writer, name, attribute));
  }
  if (node.domain) writer.uint32(tag(7, bytes)).string(node.domain);
}

function writeTensor(writer: Writer, tensor: OnnxTensor): void {
  const size = tensor.shape.reduce((product, dimension) => product * dimension, 1);
  if (size !== tensor.values.length) {
    throw new RangeError(
      `tensor '${tensor.name}' of shape [${tensor.shape.join(', ')}] needs ${size} values, got ${tensor.values.length}`,
    );
  }
  for (const dimension of tensor.shape) writer.uint32(tag(1, varint)).int64(dimension);
  const elementType = tensor.values instanceof Float32Array ? 'float32' : 'int64';
  writer.uint32(tag(2, varint)).int32(elementTypeNumbers[elementType]);
  writer.uint32(tag(8, bytes)).string(tensor.name);
  writer.uint32(tag(9, bytes)).bytes(littleEndianBytes(tensor.values));
}

function writeValueInfo(writer: Writer, value: OnnxValueInfo): void {
  writer.uint32(tag(1, bytes)).string(value.name);
  nested(writer, 2, () =>
    nested(writer, 1, () => {
      writer.uint32(tag(1, varint)).int32(elementTypeNumbers[value.elementType]);
      nested(writer, 2, () => {
        for (const dimension of value.shape) nested(writer, 1, () => writeDimension(writer, dimension));
      });
    }),
  );
}

function writeDimension(writer: Writer, dimension: OnnxDimension): void {
  if (typeof dimension === 'number') writer.uint32(tag(1, varint)).int64(dimension);
  else writer.uint32(tag(2, bytes)).string(dimension);
}

/** raw_data is little-endian whatever the machine is. */
function littleEndianBytes(values: Float32Array | BigInt64Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.byteLength));
  if (values instanceof Float32Array) values.forEach((value, i) => view.setFloat32(i * 4, value, true));
  else values.forEach((value, i) => view.setBigInt64(i * 8, value, true));
  return new Uint8Array(view.buffer);
}

function assertEveryInputExists(model: OnnxModel): void {
  const known = new Set([...model.inputs, ...model.initializers].map((value) => value.name));
  for (const node of model.nodes) {
    const missing = node.inputs.find((input) => input !== '' && !known.has(input));
    if (missing !== undefined) {
      throw new RangeError(
        `node ${node.operator} reads '${missing}', which no input, initializer or earlier node gives`,
      );
    }
    for (const output of node.outputs) known.add(output);
  }
  const unset = model.outputs.find((output) => !known.has(output.name));
  if (unset !== undefined) throw new RangeError(`graph output '${unset.name}' is given by no node`);
}
