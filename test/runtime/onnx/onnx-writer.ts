/** Writes messages of onnx.proto field by field, broken ones too. */

export type Field = readonly [number: number, value: number | bigint | string | Uint8Array];

/** Integers are varints; texts and bytes have a length before them. */
export function message(...fields: readonly Field[]): Uint8Array {
  return Buffer.concat(fields.flatMap(([number, value]) => encode(number, value)));
}

function encode(number: number, value: Field[1]): Uint8Array[] {
  if (typeof value === 'number' || typeof value === 'bigint') return [varint(number * 8), varint(value)];
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return [varint(number * 8 + 2), varint(bytes.length), bytes];
}

export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

export const tensorType = (elementType: number, shape?: readonly (number | string)[]): Uint8Array =>
  message([
    1,
    message(
      [1, elementType],
      ...(shape === undefined
        ? []
        : [
            [
              2,
              message(...shape.map((size): Field => [1, message([typeof size === 'number' ? 1 : 2, size])])),
            ] as Field,
          ]),
    ),
  ]);

export const valueInfo = (name: string, type: Uint8Array): Uint8Array => message([1, name], [2, type]);

export interface NodeParts {
  readonly operator: string;
  readonly domain?: string;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly attributes?: readonly Uint8Array[];
}

export const node = ({ operator, domain = '', inputs = [], outputs = [], attributes = [] }: NodeParts): Uint8Array =>
  message(
    ...inputs.map((name): Field => [1, name]),
    ...outputs.map((name): Field => [2, name]),
    [4, operator],
    [7, domain],
    ...attributes.map((attribute): Field => [5, attribute]),
  );

/** `fields`: the value (5 a tensor, 6 a graph, 22 a sparse tensor …). */
export const attribute = (name: string, type: number, ...fields: readonly Field[]): Uint8Array =>
  message([1, name], [20, type], ...fields);

/** x FP32 [N] to y FP32 [N], unless `fields` of GraphProto replace inputs (11) and outputs (12). */
export function graph(nodes: readonly Uint8Array[], ...fields: readonly Field[]): Uint8Array {
  const has = (number: number): boolean => fields.some(([field]) => field === number);
  return message(
    ...nodes.map((bytes): Field => [1, bytes]),
    [2, 'g'],
    ...(has(11) ? [] : [[11, valueInfo('x', tensorType(1, ['N']))] as Field]),
    ...(has(12) ? [] : [[12, valueInfo('y', tensorType(1, ['N']))] as Field]),
    ...fields,
  );
}

export const operatorSet = (domain: string, version: number): Uint8Array => message([1, domain], [2, version]);

export function model(graphBytes: Uint8Array, ...fields: readonly Field[]): Uint8Array {
  return message([1, 8], [7, graphBytes], [8, operatorSet('', 17)], ...fields);
}

export const identity = node({ operator: 'Identity', inputs: ['x'], outputs: ['y'] });
export const externalTensor = (name: string): Uint8Array =>
  message([1, 4], [2, 1], [8, name], [13, message([1, 'location'], [2, '../weights.bin'])], [14, 1]);

/** A tensor with name w; the fields of TensorProto in `fields`. */
export const tensor = (...fields: readonly Field[]): Uint8Array => message([8, 'w'], ...fields);
export const withInitializer = (bytes: Uint8Array): Uint8Array => model(graph([identity], [5, bytes]));

export const sparse = (values: Uint8Array, indices: Uint8Array, ...dims: number[]): Uint8Array =>
  message([1, values], [2, indices], ...dims.map((size): Field => [3, size]));
export const twoFloats = message([1, 2], [2, 1], [8, 's'], [9, new Uint8Array(8)]);
export const twoIndices = message([1, 2], [2, 7], [9, new Uint8Array(16)]);
