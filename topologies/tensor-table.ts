import type { Tensor } from '../schemas/events.ts';
import { numericValue, tensorValues } from './tensor-values.ts';

/** Tensors side by side, as rows of numbers. */
export interface TensorTable {
  readonly names: readonly string[];
  cells(row: number): readonly number[];
}

/** undefined when a tensor is no table of so many rows. */
export function tableOf(tensors: readonly Tensor[], rows: number): TensorTable | undefined {
  const names: string[] = [];
  for (const tensor of tensors) {
    const width = widthOf(tensor, rows);
    if (width === undefined) return undefined;
    if (width === 1) names.push(tensor.name);
    else for (let column = 0; column < width; column++) names.push(`${tensor.name}[${column}]`);
  }
  return { names, cells: (row) => cellsOf(tensors, rows, row) };
}

function widthOf(tensor: Tensor, rows: number): number | undefined {
  const width = tensorValues(tensor).length / rows;
  return rows > 0 && width >= 1 && Number.isInteger(width) && (tensor.shape[0] ?? rows) === rows ? width : undefined;
}

function cellsOf(tensors: readonly Tensor[], rows: number, row: number): number[] {
  const cells: number[] = [];
  for (const tensor of tensors) {
    const values = tensorValues(tensor);
    const width = values.length / rows;
    for (let column = 0; column < width; column++) cells.push(numericValue(values[row * width + column]));
  }
  return cells;
}
