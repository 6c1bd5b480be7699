/** One equation, one unknown: Newton steps, kept inside a bracket by bisection. */
export interface IncreasingEquation {
  readonly target: number;
  /** A non-decreasing function of x. */
  readonly value: (x: number) => number;
  /** Its derivative; may be 0 or infinite at the ends. */
  readonly slope: (x: number) => number;
  readonly low: number;
  /** May be infinite: the bracket then grows by doubling. */
  readonly high: number;
  readonly start: number;
}

/** x with value(x) = target, to about 15 digits. */
export function solveIncreasing(equation: IncreasingEquation): number {
  let { low, high } = equation;
  let x = equation.start;
  for (let i = 0; i < 300; i++) {
    const error = equation.value(x) - equation.target;
    if (error === 0) return x;
    if (error > 0) high = x;
    else low = x;
    const slope = equation.slope(x);
    let next = slope > 0 && Number.isFinite(slope) ? x - error / slope : Number.NaN;
    if (!(next > low && next < high)) next = middle(low, high, x);
    if (Math.abs(next - x) <= 2 ** -52 * Math.abs(next) || next === low || next === high) return next;
    x = next;
  }
  return x;
}

/** Halves the bracket; halves the order of magnitude when it spans many, and doubles when it has no upper end. */
function middle(low: number, high: number, x: number): number {
  if (high === Infinity) return x > 0 ? 2 * x : x / 2 + 1;
  if (low === -Infinity) return x < 0 ? 2 * x : x / 2 - 1;
  if (low >= 0 && high > 100 * low) return Math.sqrt(Math.max(low, 1e-300) * high);
  return low + (high - low) / 2;
}
