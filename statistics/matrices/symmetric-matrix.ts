/** Eigenvalues of small symmetric matrices and what follows from them. */

export interface Eigen {
  /** Descending. */
  readonly values: readonly number[];
  /** vectors[k] belongs to values[k] and has length 1. */
  readonly vectors: readonly (readonly number[])[];
}

/** Eigenvalues and vectors by cyclic Jacobi rotations (Golub and Van Loan, 8.5): O(n³) per sweep, a few sweeps. */
export function symmetricEigen(matrix: readonly ArrayLike<number>[]): Eigen {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const v = a.map((_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  const get = (m: Float64Array[], i: number, j: number) => m[i]?.[j] ?? 0;
  const set = (m: Float64Array[], i: number, j: number, value: number) => {
    const row = m[i];
    if (row !== undefined) row[j] = value;
  };
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = get(a, p, q);
        const app = get(a, p, p);
        const aqq = get(a, q, q);
        if (Math.abs(apq) <= 2 ** -54 * Math.sqrt(Math.abs(app) * Math.abs(aqq)) || Math.abs(apq) < 1e-300) continue;
        rotated = true;
        const theta = (aqq - app) / (2 * apq);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const akp = get(a, k, p);
          const akq = get(a, k, q);
          set(a, k, p, c * akp - s * akq);
          set(a, k, q, s * akp + c * akq);
        }
        for (let k = 0; k < n; k++) {
          const apk = get(a, p, k);
          const aqk = get(a, q, k);
          set(a, p, k, c * apk - s * aqk);
          set(a, q, k, s * apk + c * aqk);
          const vkp = get(v, k, p);
          const vkq = get(v, k, q);
          set(v, k, p, c * vkp - s * vkq);
          set(v, k, q, s * vkp + c * vkq);
        }
        set(a, p, q, 0);
        set(a, q, p, 0);
      }
    }
    if (!rotated) break;
  }
  const order = a.map((_, i) => i).sort((i, j) => get(a, j, j) - get(a, i, i));
  return {
    values: order.map((i) => get(a, i, i)),
    vectors: order.map((i) => v.map((row) => row[i] ?? 0)),
  };
}

export interface PseudoInverse {
  readonly inverse: number[][];
  readonly rank: number;
  /** Largest over smallest eigenvalue; infinite when the rank is not full. */
  readonly condition: number;
}

/** Moore–Penrose inverse of a covariance matrix: eigenvalues below `cutoff` of the largest count as 0. */
export function pseudoInverse(matrix: readonly ArrayLike<number>[], cutoff = 1e-10): PseudoInverse {
  const { values, vectors } = symmetricEigen(matrix);
  const largest = values[0] ?? 0;
  const rank = values.filter((value) => value > cutoff * largest && value > 0).length;
  const inverse = matrix.map((_, i) =>
    matrix.map((__, j) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += ((vectors[k]?.[i] ?? 0) * (vectors[k]?.[j] ?? 0)) / (values[k] ?? 1);
      return sum;
    }),
  );
  const smallest = values[values.length - 1] ?? 0;
  return { inverse, rank, condition: rank === values.length ? largest / smallest : Infinity };
}

/** x with matrix · x = vector, for a symmetric positive definite matrix (Cholesky). @throws RangeError otherwise. */
export function solvePositiveDefinite(matrix: readonly ArrayLike<number>[], vector: ArrayLike<number>): number[] {
  const n = matrix.length;
  const lower = matrix.map(() => new Float64Array(n));
  const at = (i: number, j: number) => lower[i]?.[j] ?? 0;
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = matrix[i]?.[j] ?? 0;
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k);
      if (i === j && !(sum > 0)) throw new RangeError(`matrix is not positive definite (pivot ${j} is ${sum})`);
      const row = lower[i];
      if (row !== undefined) row[j] = i === j ? Math.sqrt(sum) : sum / at(j, j);
    }
  }
  const x = Array.from(vector);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] ?? 0) - at(i, k) * (x[k] ?? 0);
    x[i] = (x[i] ?? 0) / at(i, i);
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] = (x[i] ?? 0) - at(k, i) * (x[k] ?? 0);
    x[i] = (x[i] ?? 0) / at(i, i);
  }
  return x;
}
