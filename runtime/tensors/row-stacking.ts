/** Puts the rows of several requests on top of each other, and takes an answer apart again. The first dimension is the row. */
import type { Tensor, TensorData } from '../ports/index.ts';

/** Requests with the same text can be stacked: same inputs in the same order, same dimensions but the first. */
export function stackable(inputs: readonly Tensor[]): string {
  let text = '';
  for (const { name, shape } of inputs) {
    text += name;
    for (let axis = 1; axis < shape.length; axis++) text += `,${shape[axis]}`;
    text += '\u0000';
  }
  return text;
}

export function joinRows(requests: readonly (readonly Tensor[])[]): readonly Tensor[] {
  const [first = []] = requests;
  return first.map((tensor, position) => {
    const parts = requests.map((inputs) => inputs[position] ?? tensor);
    const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 1), 0);
    return { ...tensor, shape: [rows, ...tensor.shape.slice(1)], data: joinData(parts.map((part) => part.data)) };
  });
}

/** One answer per request; undefined when an output does not have one row per row that went in. */
export function splitRows(
  outputs: readonly Tensor[],
  rowsOf: readonly number[],
): readonly (readonly Tensor[])[] | undefined {
  const total = rowsOf.reduce((sum, rows) => sum + rows, 0);
  if (outputs.some((tensor) => tensor.shape[0] !== total)) return undefined;
  let start = 0;
  return rowsOf.map((rows) => {
    const from = start;
    start += rows;
    return outputs.map((tensor) => sliceRows(tensor, from, rows, total));
  });
}

function sliceRows(tensor: Tensor, from: number, rows: number, total: number): Tensor {
  const width = total === 0 ? 0 : tensor.data.length / total;
  const shape = tensor.shape.length === 1 ? [rows] : [rows, ...tensor.shape.slice(1)];
  return {
    name: tensor.name,
    datatype: tensor.datatype,
    shape,
    data: tensor.data.slice(from * width, (from + rows) * width),
  };
}

function joinData(parts: readonly TensorData[]): TensorData {
  const [first] = parts;
  if (first === undefined || Array.isArray(first)) return (parts as readonly string[][]).flat();
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const joined = new (first.constructor as new (length: number) => Float32Array)(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part as Float32Array, at);
    at += part.length;
  }
  return joined;
}
