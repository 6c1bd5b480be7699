/** Field numbers of onnx-ml.proto at IR version 13, for the messages that the inspection walks. */

export type FieldKind = 'int' | 'float' | 'text' | 'bytes' | 'message' | 'ints' | 'floats' | 'doubles';
export type MessageFields = Readonly<Record<number, readonly [name: string, kind: FieldKind, times: 'once' | 'many']>>;

export const modelFields: MessageFields = {
  1: ['ir_version', 'int', 'once'],
  2: ['producer_name', 'bytes', 'once'],
  3: ['producer_version', 'bytes', 'once'],
  4: ['domain', 'bytes', 'once'],
  5: ['model_version', 'int', 'once'],
  6: ['doc_string', 'bytes', 'once'],
  7: ['graph', 'message', 'once'],
  8: ['opset_import', 'message', 'many'],
  14: ['metadata_props', 'message', 'many'],
  20: ['training_info', 'message', 'many'],
  25: ['functions', 'message', 'many'],
  26: ['configuration', 'message', 'many'],
};

export const operatorSetFields: MessageFields = {
  1: ['domain', 'text', 'once'],
  2: ['version', 'int', 'once'],
};

export const trainingFields: MessageFields = {
  1: ['initialization', 'message', 'once'],
  2: ['algorithm', 'message', 'once'],
  3: ['initialization_binding', 'message', 'many'],
  4: ['update_binding', 'message', 'many'],
};

export const graphFields: MessageFields = {
  1: ['node', 'message', 'many'],
  2: ['name', 'bytes', 'once'],
  5: ['initializer', 'message', 'many'],
  10: ['doc_string', 'bytes', 'once'],
  11: ['input', 'message', 'many'],
  12: ['output', 'message', 'many'],
  13: ['value_info', 'message', 'many'],
  14: ['quantization_annotation', 'message', 'many'],
  15: ['sparse_initializer', 'message', 'many'],
  16: ['metadata_props', 'message', 'many'],
};

export const nodeFields: MessageFields = {
  1: ['input', 'text', 'many'],
  2: ['output', 'text', 'many'],
  3: ['name', 'text', 'once'],
  4: ['op_type', 'text', 'once'],
  5: ['attribute', 'message', 'many'],
  6: ['doc_string', 'bytes', 'once'],
  7: ['domain', 'text', 'once'],
  8: ['overload', 'text', 'once'],
  9: ['metadata_props', 'message', 'many'],
  10: ['device_configurations', 'message', 'many'],
};

export const functionFields: MessageFields = {
  1: ['name', 'text', 'once'],
  4: ['input', 'text', 'many'],
  5: ['output', 'text', 'many'],
  6: ['attribute', 'bytes', 'many'],
  7: ['node', 'message', 'many'],
  8: ['doc_string', 'bytes', 'once'],
  9: ['opset_import', 'message', 'many'],
  10: ['domain', 'text', 'once'],
  11: ['attribute_proto', 'message', 'many'],
  12: ['value_info', 'message', 'many'],
  13: ['overload', 'text', 'once'],
  14: ['metadata_props', 'message', 'many'],
};

export const attributeFields: MessageFields = {
  1: ['name', 'text', 'once'],
  2: ['f', 'float', 'once'],
  3: ['i', 'int', 'once'],
  4: ['s', 'bytes', 'once'],
  5: ['t', 'message', 'once'],
  6: ['g', 'message', 'once'],
  7: ['floats', 'floats', 'many'],
  8: ['ints', 'ints', 'many'],
  9: ['strings', 'bytes', 'many'],
  10: ['tensors', 'message', 'many'],
  11: ['graphs', 'message', 'many'],
  13: ['doc_string', 'bytes', 'once'],
  14: ['tp', 'message', 'once'],
  15: ['type_protos', 'message', 'many'],
  20: ['type', 'int', 'once'],
  21: ['ref_attr_name', 'bytes', 'once'],
  22: ['sparse_tensor', 'message', 'once'],
  23: ['sparse_tensors', 'message', 'many'],
};

export const tensorFields: MessageFields = {
  1: ['dims', 'ints', 'many'],
  2: ['data_type', 'int', 'once'],
  3: ['segment', 'message', 'once'],
  4: ['float_data', 'floats', 'many'],
  5: ['int32_data', 'ints', 'many'],
  6: ['string_data', 'bytes', 'many'],
  7: ['int64_data', 'ints', 'many'],
  8: ['name', 'text', 'once'],
  9: ['raw_data', 'bytes', 'once'],
  10: ['double_data', 'doubles', 'many'],
  11: ['uint64_data', 'ints', 'many'],
  12: ['doc_string', 'bytes', 'once'],
  13: ['external_data', 'message', 'many'],
  14: ['data_location', 'int', 'once'],
  16: ['metadata_props', 'message', 'many'],
};

export const entryFields: MessageFields = {
  1: ['key', 'text', 'once'],
  2: ['value', 'text', 'once'],
};

export const sparseTensorFields: MessageFields = {
  1: ['values', 'message', 'once'],
  2: ['indices', 'message', 'once'],
  3: ['dims', 'ints', 'many'],
};

export const valueInfoFields: MessageFields = {
  1: ['name', 'text', 'once'],
  2: ['type', 'message', 'once'],
  3: ['doc_string', 'bytes', 'once'],
  4: ['metadata_props', 'message', 'many'],
};

export const typeFields: MessageFields = {
  1: ['tensor', 'message', 'once'],
  4: ['sequence', 'message', 'once'],
  5: ['map', 'message', 'once'],
  6: ['denotation', 'bytes', 'once'],
  7: ['opaque', 'message', 'once'],
  8: ['sparse_tensor', 'message', 'once'],
  9: ['optional', 'message', 'once'],
};

export const tensorTypeFields: MessageFields = {
  1: ['elem_type', 'int', 'once'],
  2: ['shape', 'message', 'once'],
};

export const elementTypeFields: MessageFields = { 1: ['elem_type', 'message', 'once'] };

export const mapTypeFields: MessageFields = {
  1: ['key_type', 'int', 'once'],
  2: ['value_type', 'message', 'once'],
};

export const shapeFields: MessageFields = { 1: ['dim', 'message', 'many'] };

export const dimensionFields: MessageFields = {
  1: ['dim_value', 'int', 'once'],
  2: ['dim_param', 'text', 'once'],
  3: ['denotation', 'bytes', 'once'],
};
