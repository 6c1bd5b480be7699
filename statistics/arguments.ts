/**
 * Checks of numeric arguments. Statistics never guess: a missing or impossible value is refused with the name of the
 * argument and the index, so that the caller finds the row.
 */

/** Refuses NaN and infinities. @throws RangeError naming the argument and the index. */
export function requireFinite(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) throw new RangeError(`${name}[${i}] must be a finite number, got ${String(value)}`);
  }
}

/** Refuses NaN, lets infinities pass (rank-based statistics can use them). @throws RangeError */
export function requireNumbers(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw new RangeError(`${name}[${i}] must be a number, got ${String(value)}; leave missing values out first`);
    }
  }
}

/** Refuses samples with fewer than `least` values. @throws RangeError */
export function requireLength(name: string, values: ArrayLike<unknown>, least: number): void {
  if (values.length < least) {
    throw new RangeError(`${name} must hold at least ${least} value(s), got ${values.length}`);
  }
}

/** Refuses two arrays of different lengths. @throws RangeError */
export function requireSameLength(a: string, x: ArrayLike<unknown>, b: string, y: ArrayLike<unknown>): void {
  if (x.length !== y.length) {
    throw new RangeError(`${a} and ${b} must be equally long, got ${x.length} and ${y.length}`);
  }
}

/** Refuses anything outside the open interval (0, 1). @throws RangeError */
export function requireFraction(name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${name} must lie strictly between 0 and 1, got ${value}`);
}

/** Refuses anything but a finite number above zero. @throws RangeError */
export function requirePositive(name: string, value: number): void {
  if (!(value > 0) || !Number.isFinite(value)) throw new RangeError(`${name} must be a positive number, got ${value}`);
}

/** Refuses anything but an integer of at least `least`. @throws RangeError */
export function requireInteger(name: string, value: number, least = 0): void {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(`${name} must be an integer of at least ${least}, got ${value}`);
  }
}

/** Refuses counts that are negative or not finite (fractions pass: weights are counts too). @throws RangeError */
export function requireCounts(name: string, counts: ArrayLike<number>): void {
  requireFinite(name, counts);
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0;
    if (count < 0) throw new RangeError(`${name}[${i}] must not be negative, got ${count}`);
  }
}

/**
 * Refuses a matrix that is empty, ragged or not finite.
 * @returns the number of columns.
 * @throws RangeError naming row and column.
 */
export function requireMatrix(name: string, rows: readonly ArrayLike<number>[], leastRows = 1): number {
  requireLength(name, rows, leastRows);
  const columns = rows[0]?.length ?? 0;
  if (columns === 0) throw new RangeError(`${name} must have at least one column`);
  rows.forEach((row, i) => {
    if (row.length !== columns) {
      throw new RangeError(`${name}[${i}] must have ${columns} columns like row 0, got ${row.length}`);
    }
    requireFinite(`${name}[${i}]`, row);
  });
  return columns;
}

/** A copy without NaN values. */
export function withoutMissing(values: ArrayLike<number>): Float64Array {
  const kept = new Float64Array(values);
  let count = 0;
  for (let i = 0; i < kept.length; i++) {
    const value = kept[i] as number;
    if (!Number.isNaN(value)) kept[count++] = value;
  }
  return count === kept.length ? kept : kept.slice(0, count);
}
