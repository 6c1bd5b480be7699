import type { Tensor } from '../schemas/events.ts';

/** Elements of a tensor, row-major, whatever type they have. */
export function tensorValues(tensor: Tensor): readonly (number | boolean | string)[] {
  const data = tensor.data as Readonly<Record<string, { readonly values: readonly (number | boolean | string)[] }>>;
  for (const kind in data) return data[kind]?.values ?? [];
  return [];
}

/** As a number: booleans are 0 and 1, a text that is no number is NaN, which stands for a missing value. */
export function numericValue(value: number | boolean | string | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value === undefined || value.trim() === '' ? Number.NaN : Number(value);
}
