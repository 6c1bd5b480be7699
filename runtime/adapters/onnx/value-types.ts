/** Declared types of a graph's inputs and outputs. */
import { elementTypes } from './element-types.ts';
import { product, within } from './inspect-tensor.ts';
import { limits } from './inspection-limits.ts';
import {
  dimensionFields,
  elementTypeFields,
  type MessageFields,
  mapTypeFields,
  shapeFields,
  tensorTypeFields,
  typeFields,
  valueInfoFields,
} from './onnx-fields.ts';
import { type Message, ProtobufReader } from './protobuf-reader.ts';
import { quoted, refused } from './refusal.ts';

/** A size, or the name of a size that is not fixed ('' when it has none). */
export type Dimension = number | string;

export interface ValueType {
  /** As ONNX writes it: `tensor(float)`, `seq(map(int64,tensor(float)))`. */
  readonly text: string;
  /** Of a dense tensor. */
  readonly elementType?: number;
  /** Of a dense tensor; absent: any rank. */
  readonly dims?: readonly Dimension[];
}

export interface ValueInfo {
  readonly name: string;
  readonly type: ValueType | undefined;
}

export function inspectValueInfo(message: Message, kind: string): ValueInfo {
  const reader = new ProtobufReader(message, valueInfoFields);
  let name = '';
  let typed: Message | undefined;
  while (reader.next()) {
    if (reader.name === 'name') name = reader.text();
    else if (reader.name === 'type') typed = reader.message(message.where);
    else reader.skip();
  }
  const where = within(message.where, `${kind} ${quoted(name)}`);
  return { name, type: typed === undefined ? undefined : inspectType({ ...typed, where }) };
}

export function inspectType(message: Message, depth = 0): ValueType {
  const { where } = message;
  if (depth > limits.typeDepth) throw refused('too-deep', where, `types are nested deeper than ${limits.typeDepth}`);
  const reader = new ProtobufReader(message, typeFields);
  let found: ValueType | undefined;
  while (reader.next()) {
    const kind = reader.name;
    if (kind === 'denotation') {
      reader.skip();
      continue;
    }
    if (found !== undefined) throw refused('malformed', where, 'it has two types');
    const inner = reader.message(where);
    if (kind === 'tensor') found = tensorType(inner);
    else if (kind === 'sparse_tensor') found = { text: `sparse_${tensorType(inner).text}` };
    else if (kind === 'sequence') found = { text: `seq(${element(inner, elementTypeFields, depth).inner})` };
    else if (kind === 'optional') found = { text: `optional(${element(inner, elementTypeFields, depth).inner})` };
    else if (kind === 'map') {
      const { key, inner: value } = element(inner, mapTypeFields, depth);
      found = { text: `map(${elementTypes[key]?.name ?? key},${value})` };
    } else found = { text: 'opaque' };
  }
  return found ?? { text: 'no type' };
}

function tensorType(message: Message): ValueType {
  const reader = new ProtobufReader(message, tensorTypeFields);
  let elementType = 0;
  let dims: readonly Dimension[] | undefined;
  while (reader.next()) {
    if (reader.name === 'elem_type') elementType = Number(reader.int());
    else dims = shape(reader.message(message.where));
  }
  return {
    text: `tensor(${elementTypes[elementType]?.name ?? elementType})`,
    elementType,
    ...(dims === undefined ? {} : { dims }),
  };
}

function shape(message: Message): readonly Dimension[] {
  const { where } = message;
  const reader = new ProtobufReader(message, shapeFields);
  const dims: Dimension[] = [];
  const fixed: bigint[] = [];
  while (reader.next()) {
    const size = dimension(reader.message(where));
    if (dims.length === limits.rank) throw refused('absurd-shape', where, `more than ${limits.rank} dimensions`);
    if (typeof size === 'bigint') fixed.push(size);
    dims.push(typeof size === 'bigint' ? Number(size) : size);
  }
  product(where, fixed, limits.elements);
  return dims;
}

/** -1 is how some exporters write a size that is not fixed. */
function dimension(message: Message): bigint | string {
  const reader = new ProtobufReader(message, dimensionFields);
  let size: bigint | undefined;
  let name = '';
  while (reader.next()) {
    if (reader.name === 'dim_value') size = reader.int();
    else if (reader.name === 'dim_param') name = reader.text();
    else reader.skip();
  }
  return size === undefined || size === -1n ? name : size;
}

function element(message: Message, fields: MessageFields, depth: number): { key: number; inner: string } {
  const reader = new ProtobufReader(message, fields);
  let key = 0;
  let inner = 'no type';
  while (reader.next()) {
    if (reader.name === 'key_type') key = Number(reader.int());
    else inner = inspectType(reader.message(message.where), depth + 1).text;
  }
  return { key, inner };
}
