/** Constants of a model: their declared shape must match the data that is there, and all data must be inside of the file. */
import { elementTypes } from './element-types.ts';
import { limits } from './inspection-limits.ts';
import { entryFields, sparseTensorFields, tensorFields } from './onnx-fields.ts';
import { type Message, ProtobufReader } from './protobuf-reader.ts';
import { quoted, refused } from './refusal.ts';

export interface TensorFacts {
  readonly name: string;
  readonly dims: readonly bigint[];
  readonly elements: bigint;
}

export function inspectTensor(message: Message, kind = 'tensor'): TensorFacts {
  const found = readTensor(message);
  const where = within(message.where, found.name === '' ? kind : `${kind} ${quoted(found.name)}`);
  if (found.external) {
    const location = locationOf(found.externalEntries);
    throw refused(
      'external-data',
      where,
      `external data${location}: the values are in another file; only models in one file are run, save it without external data`,
    );
  }
  if (found.segmented) throw refused('malformed', where, 'it is a segment of a tensor');
  const elements = product(where, found.dims, limits.elements);
  const { dims, name, dataType } = found;
  const type = elementTypes[dataType];
  if (type === undefined) throw refused('malformed', where, `data type ${dataType} does not exist`);
  const stores = [...found.counts].filter(([, count]) => count > 0);
  const rawBytes = found.rawBytes ?? 0;
  if (stores.length + (rawBytes > 0 ? 1 : 0) > 1) throw refused('malformed', where, 'it has its values twice');
  const expectedBytes = (elements * BigInt(type.bits) + 7n) / 8n;
  const expectedEntries = BigInt(Math.ceil(Number(elements) * type.entries));
  const [[store, entries] = [type.store, 0]] = stores;
  const right =
    rawBytes > 0
      ? type.bits > 0 && BigInt(rawBytes) === expectedBytes
      : store === type.store && BigInt(entries) === expectedEntries;
  if (!right) {
    const got = rawBytes > 0 ? `${rawBytes} bytes` : `${entries} entries in ${store}`;
    const needs = type.bits > 0 ? `${expectedBytes} bytes` : `${expectedEntries} entries`;
    throw refused(
      'tensor-size',
      where,
      `shape [${dims.join(', ')}] of ${type.name} has ${elements} values and needs ${needs}, the file has ${got}`,
    );
  }
  return { name, dims, elements };
}

/** The name is that of its values. */
export function inspectSparseTensor(message: Message): TensorFacts {
  const reader = new ProtobufReader(message, sparseTensorFields);
  const dims: bigint[] = [];
  let values: TensorFacts | undefined;
  let indices: TensorFacts | undefined;
  while (reader.next()) {
    const at = within(message.where, `sparse tensor > ${reader.name}`);
    if (reader.name === 'dims') pushDims(dims, reader, message.where);
    else if (reader.name === 'values') values = inspectTensor(reader.message(at));
    else indices = inspectTensor(reader.message(at));
  }
  const where = within(message.where, `sparse tensor ${quoted(values?.name ?? '')}`);
  product(where, dims, limits.sparseElements);
  const count = values?.elements ?? 0n;
  const [rows, columns] = indices?.dims ?? [0n];
  const rank = columns ?? 1n;
  if ((rows ?? 0n) !== count || (columns !== undefined && rank !== BigInt(dims.length))) {
    const got = `indices of shape [${(indices?.dims ?? []).join(', ')}]`;
    throw refused('tensor-size', where, `${count} values in ${dims.length} dimensions have ${got}`);
  }
  return { name: values?.name ?? '', dims, elements: count };
}

/** Only the name, for what nodes may refer to. */
export function tensorName(message: Message): string {
  const reader = new ProtobufReader(message, tensorFields);
  let name = '';
  while (reader.next()) {
    if (reader.name === 'name') name = reader.text();
    else reader.skip();
  }
  return name;
}

export function sparseTensorName(message: Message): string {
  const reader = new ProtobufReader(message, sparseTensorFields);
  let name = '';
  while (reader.next()) {
    if (reader.name === 'values') name = tensorName(reader.message(message.where));
    else reader.skip();
  }
  return name;
}

/** Number of values of a shape, none of which may be negative. */
export function product(where: string, dims: readonly bigint[], max: bigint): bigint {
  let elements = 1n;
  for (const size of dims) {
    if (size < 0n) throw refused('absurd-shape', where, `shape [${dims.join(', ')}] has a negative size`);
    elements *= size;
  }
  if (elements > max) {
    throw refused(
      'absurd-shape',
      where,
      `shape [${dims.join(', ')}] has ${elements} values, at most ${max} are allowed`,
    );
  }
  return elements;
}

export function within(where: string, place: string): string {
  return where === '' ? place : `${where} > ${place}`;
}

interface TensorParts {
  name: string;
  dataType: number;
  dims: bigint[];
  rawBytes: number | undefined;
  counts: Map<string, number>;
  external: boolean;
  externalEntries: Message[];
  segmented: boolean;
}

function readTensor(message: Message): TensorParts {
  const reader = new ProtobufReader(message, tensorFields);
  const parts: TensorParts = {
    name: '',
    dataType: 0,
    dims: [],
    rawBytes: undefined,
    counts: new Map(),
    external: false,
    externalEntries: [],
    segmented: false,
  };
  while (reader.next()) {
    const field = reader.name;
    switch (field) {
      case 'dims':
        pushDims(parts.dims, reader, message.where);
        break;
      case 'data_type':
        parts.dataType = Number(reader.int());
        break;
      case 'name':
        parts.name = reader.text();
        break;
      case 'raw_data':
        parts.rawBytes = reader.sizeBytes();
        break;
      case 'string_data':
        reader.skip();
        parts.counts.set(field, (parts.counts.get(field) ?? 0) + 1);
        break;
      case 'float_data':
      case 'int32_data':
      case 'int64_data':
      case 'double_data':
      case 'uint64_data':
        parts.counts.set(field, (parts.counts.get(field) ?? 0) + reader.count());
        break;
      case 'external_data':
        parts.external = true;
        if (parts.externalEntries.length < 16) parts.externalEntries.push(reader.message(message.where));
        else reader.skip();
        break;
      case 'data_location':
        if (reader.int() !== 0n) parts.external = true;
        break;
      case 'segment':
        parts.segmented = true;
        reader.skip();
        break;
      default:
        reader.skip();
    }
  }
  return parts;
}

function pushDims(dims: bigint[], reader: ProtobufReader, where: string): void {
  for (const size of reader.ints(limits.rank)) dims.push(size);
  if (dims.length > limits.rank) {
    throw refused('absurd-shape', where, `a tensor has more than ${limits.rank} dimensions`);
  }
}

function locationOf(entries: readonly Message[]): string {
  for (const entry of entries) {
    const reader = new ProtobufReader(entry, entryFields);
    let [key, value] = ['', ''];
    while (reader.next()) {
      if (reader.name === 'key') key = reader.text();
      else value = reader.text();
    }
    if (key === 'location') return ` in ${quoted(value)}`;
  }
  return '';
}
