import type { RowChange } from '../../runtime/ports/query-store.ts';
import type { TrackingTables } from './tables.ts';

export type Change = RowChange<TrackingTables>;

export function keyed(
  values: Readonly<Record<string, string>>,
  change: (key: string, value: string) => Change,
): readonly Change[] {
  return Object.entries(values).map(([key, value]) => change(key, value));
}

/** As MLflow keeps numbers: not-a-number is a mark beside 0, an infinity the largest number of its sign. */
export function number(value: number): { readonly value: number; readonly is_nan: number } {
  if (Number.isNaN(value)) return { value: 0, is_nan: 1 };
  return { value: Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)), is_nan: 0 };
}
