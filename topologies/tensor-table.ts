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
  const parts: Part[] = [];
  for (const tensor of tensors) {
    const width = tableWidth(tensor, rows);
    if (width === undefined) return undefined;
    parts.push({ values: tensorValues(tensor), width });
    if (width === 1) names.push(tensor.name);
    else for (let column = 0; column < width; column++) names.push(`${tensor.name}[${column}]`);
  }
  return { names, cells: (row) => cellsOf(parts, row) };
}

interface Part {
  readonly values: ReturnType<typeof tensorValues>;
  readonly width: number;
}

/** Columns of a tensor; undefined when it is no table of so many rows. */
export function tableWidth(tensor: Tensor, rows: number): number | undefined {
  const width = tensorValues(tensor).length / rows;
  return rows > 0 && width >= 1 && Number.isInteger(width) && (tensor.shape[0] ?? rows) === rows ? width : undefined;
}

function cellsOf(parts: readonly Part[], row: number): number[] {
  const cells: number[] = [];
  for (const { values, width } of parts)
    for (let at = row * width; at < (row + 1) * width; at++) cells.push(numericValue(values[at]));
  return cells;
}
