/** Correlation of two samples: Pearson, Spearman, Kendall's τ-b. NaN is refused; fewer than two rows are refused. */
import { requireFinite, requireLength, requireSameLength } from '../arguments.ts';
import { mean } from './descriptive.ts';
import { averageRanks } from './ranks.ts';
import { studentTwoSided } from '../special/student-t.ts';

/** `pValue` is two-sided, from Student's t with n − 2 degrees of freedom; NaN where undefined (a constant sample). */
export interface Correlation {
  readonly statistic: number;
  readonly pValue: number;
}

/** Pearson's product-moment correlation. */
export function pearsonCorrelation(x: ArrayLike<number>, y: ArrayLike<number>): Correlation {
  requirePair(x, y);
  const mx = mean(x);
  const my = mean(y);
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = (x[i] ?? 0) - mx;
    const dy = (y[i] ?? 0) - my;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  const statistic = xx > 0 && yy > 0 ? Math.max(-1, Math.min(1, xy / Math.sqrt(xx) / Math.sqrt(yy))) : Number.NaN;
  const df = x.length - 2;
  const t = statistic * Math.sqrt(df / ((1 - statistic) * (1 + statistic)));
  return { statistic, pValue: df > 0 ? studentTwoSided(t, df) : Number.NaN };
}

/** Spearman's rank correlation (ties share ranks). */
export function spearmanCorrelation(x: ArrayLike<number>, y: ArrayLike<number>): Correlation {
  requirePair(x, y);
  return pearsonCorrelation(averageRanks(x), averageRanks(y));
}

/** Kendall's τ-b, O(n²). NaN when one sample is constant. */
export function kendallTau(x: ArrayLike<number>, y: ArrayLike<number>): number {
  requirePair(x, y);
  let agreement = 0;
  let untiedX = 0;
  let untiedY = 0;
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const dx = Math.sign((x[i] ?? 0) - (x[j] ?? 0));
      const dy = Math.sign((y[i] ?? 0) - (y[j] ?? 0));
      agreement += dx * dy;
      untiedX += dx * dx;
      untiedY += dy * dy;
    }
  }
  return untiedX > 0 && untiedY > 0 ? agreement / Math.sqrt(untiedX) / Math.sqrt(untiedY) : Number.NaN;
}

function requirePair(x: ArrayLike<number>, y: ArrayLike<number>): void {
  requireSameLength('x', x, 'y', y);
  requireLength('x', x, 2);
  requireFinite('x', x);
  requireFinite('y', y);
}
