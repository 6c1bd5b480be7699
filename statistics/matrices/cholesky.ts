/** Cholesky factors of dense symmetric positive definite matrices, flat and row by row, for hundreds of rows. */

/** L with L Lᵀ = `matrix` (n × n), in the lower half. @throws RangeError when it is not positive definite. */
export function choleskyFactor(matrix: Float64Array, n: number): Float64Array {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j <= i; j++) {
      const other = j * n;
      const sum = (matrix[row + j] as number) - dot(lower, row, lower, other, j);
      if (i !== j) lower[row + j] = sum / (lower[other + j] as number);
      else if (sum > 0) lower[row + j] = Math.sqrt(sum);
      else throw new RangeError(`matrix is not positive definite (pivot ${j} is ${sum})`);
    }
  }
  return lower;
}

/** X with L Lᵀ X = `right`, in place; each of the rows of `right` (count × n) is a right-hand side. */
export function choleskySolve(lower: Float64Array, n: number, right: Float64Array): Float64Array {
  for (let at = 0; at < right.length; at += n) {
    for (let i = 0; i < n; i++) {
      const row = i * n;
      right[at + i] = ((right[at + i] as number) - dot(lower, row, right, at, i)) / (lower[row + i] as number);
    }
    for (let i = n - 1; i >= 0; i--) {
      const row = i * n;
      const solved = (right[at + i] as number) / (lower[row + i] as number);
      right[at + i] = solved;
      for (let k = 0; k < i; k++) right[at + k] = (right[at + k] as number) - (lower[row + k] as number) * solved;
    }
  }
  return right;
}

/** Σ a[from + k] b[at + k] over `length` places, which are within both. Four sums at once: one would wait for itself. */
export function dot(a: Float64Array, from: number, b: Float64Array, at: number, length: number): number {
  let s = 0;
  let t = 0;
  let u = 0;
  let v = 0;
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s += (a[from + k] as number) * (b[at + k] as number);
    t += (a[from + k + 1] as number) * (b[at + k + 1] as number);
    u += (a[from + k + 2] as number) * (b[at + k + 2] as number);
    v += (a[from + k + 3] as number) * (b[at + k + 3] as number);
  }
  for (; k < length; k++) s += (a[from + k] as number) * (b[at + k] as number);
  return s + t + u + v;
}
