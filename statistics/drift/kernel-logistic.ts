/** Kernel logistic regression: the chance of label 1 by a kernel between the rows, by Newton's steps (Zhu and Hastie 2005). */
import { requireLength, requirePositive } from '../arguments.ts';
import { choleskyFactor, choleskySolve, dot } from '../matrices/cholesky.ts';

/**
 * Chances of label 1 of the rows themselves: log-odds = those of the whole + f, with ½ ridge |f|² in the space of the kernel against the
 * log-likelihood. @param kernel n × n, row by row. @param ridge larger is smoother. @default ridge 1
 */
export function kernelLogistic(kernel: Float64Array, labels: ArrayLike<number>, ridge = 1): Float64Array {
  const n = labels.length;
  requireLength('labels', labels, 2);
  requirePositive('ridge', ridge);
  const ones = Array.from(labels).reduce((sum, label) => sum + label, 0);
  if (ones === 0 || ones === n) return new Float64Array(n).fill(ones / n);
  const base = Math.log(ones / (n - ones));
  let f = new Float64Array(n);
  const chance = (value: number): number => 1 / (1 + Math.exp(-(base + value)));
  for (let step = 0; step < 25; step++) {
    // (K + ridge W⁻¹) α = f + W⁻¹ (z − p), f = K α
    const matrix = Float64Array.from(kernel);
    const right = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const p = chance(f[i] ?? 0);
      const weight = Math.max(1e-9, p * (1 - p));
      matrix[i * n + i] = (matrix[i * n + i] ?? 0) + ridge / weight;
      right[i] = (f[i] ?? 0) + ((labels[i] ?? 0) - p) / weight;
    }
    const alpha = choleskySolve(choleskyFactor(matrix, n), n, right);
    const next = f.map((_, i) => dot(kernel, i * n, alpha, 0, n));
    const moved = next.reduce((most, value, i) => Math.max(most, Math.abs(value - (f[i] ?? 0))), 0);
    f = next;
    if (moved < 1e-6) break;
  }
  return f.map(chance);
}
