import type protobuf from 'protobufjs/minimal.js';
import type { OnnxAttribute } from './onnx-types.ts';
import { bytes, fixed32, nested, tag, varint } from './protobuf-fields.ts';

/** Writes the body of one `AttributeProto`: name 1, the value's field, type 20. */
export function writeAttribute(writer: protobuf.Writer, name: string, attribute: OnnxAttribute): void {
  writer.uint32(tag(1, bytes)).string(name);
  switch (attribute.type) {
    case 'float':
      writer.uint32(tag(2, fixed32)).float(attribute.value);
      break;
    case 'int':
      writer.uint32(tag(3, varint)).int64(attribute.value);
      break;
    case 'string':
      writer.uint32(tag(4, bytes)).string(attribute.value);
      break;
    case 'floats':
      nested(writer, 7, () => {
        for (const value of Array.from(attribute.value)) writer.float(value);
      });
      break;
    case 'ints':
      nested(writer, 8, () => {
        for (const value of Array.from(attribute.value)) writer.int64(value);
      });
      break;
    case 'strings':
      for (const value of attribute.value) writer.uint32(tag(9, bytes)).string(value);
      break;
  }
  writer.uint32(tag(20, varint)).int32(attributeTypeNumbers[attribute.type]);
}

/** `AttributeProto.AttributeType`. */
const attributeTypeNumbers: Readonly<Record<OnnxAttribute['type'], number>> = {
  float: 1,
  int: 2,
  string: 3,
  floats: 6,
  ints: 7,
  strings: 8,
};
