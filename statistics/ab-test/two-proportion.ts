/** Comparison of two success rates, and intervals of one. */
import { requireFraction, requireInteger } from '../arguments.ts';
import { betaQuantile } from '../special/beta.ts';
import { normalQuantile, normalSurvival } from '../special/normal.ts';

/** Successes among trials. */
export interface Proportion {
  readonly successes: number;
  readonly trials: number;
}

export type Interval = readonly [number, number];

export interface TwoProportionResult {
  /** z with the pooled rate, treatment minus control; NaN when neither arm varies. */
  readonly statistic: number;
  /** Two-sided; NaN when undefined. */
  readonly pValue: number;
  /** Rate of treatment minus rate of control. */
  readonly difference: number;
  /** Newcombe's hybrid score interval of the difference (1998): holds near 0 and 1. */
  readonly interval: Interval;
  /** Wald's interval of the difference: the textbook one, too short for small counts. */
  readonly waldInterval: Interval;
  /** Difference over the control's rate; null when that is 0. */
  readonly relativeLift: number | null;
}

/** Compares a treatment with a control. @default confidence 0.95 @throws RangeError for impossible counts. */
export function twoProportionTest(control: Proportion, treatment: Proportion, confidence = 0.95): TwoProportionResult {
  const p = rate(control);
  const q = rate(treatment);
  const z = criticalValue(confidence);
  const difference = q - p;
  const pooled = (control.successes + treatment.successes) / (control.trials + treatment.trials);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / control.trials + 1 / treatment.trials));
  const statistic = error > 0 ? difference / error : Number.NaN;
  const [lowControl, highControl] = wilsonInterval(control, confidence);
  const [lowTreatment, highTreatment] = wilsonInterval(treatment, confidence);
  const wald = z * Math.sqrt((p * (1 - p)) / control.trials + (q * (1 - q)) / treatment.trials);
  return {
    statistic,
    pValue: 2 * normalSurvival(Math.abs(statistic)),
    difference,
    interval: [
      difference - Math.hypot(q - lowTreatment, highControl - p),
      difference + Math.hypot(highTreatment - q, p - lowControl),
    ],
    waldInterval: [difference - wald, difference + wald],
    relativeLift: p === 0 ? null : difference / p,
  };
}

/** Wilson's score interval of one rate (1927). @default confidence 0.95 */
export function wilsonInterval(arm: Proportion, confidence = 0.95): Interval {
  const p = rate(arm);
  const z = criticalValue(confidence);
  const scale = 1 + (z * z) / arm.trials;
  const centre = (p + (z * z) / (2 * arm.trials)) / scale;
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / arm.trials + (z * z) / (4 * arm.trials * arm.trials));
  return [arm.successes === 0 ? 0 : centre - half, arm.successes === arm.trials ? 1 : centre + half];
}

/** Clopper and Pearson's exact interval of one rate (1934). @default confidence 0.95 */
export function clopperPearsonInterval(arm: Proportion, confidence = 0.95): Interval {
  rate(arm);
  requireFraction('confidence', confidence);
  const tail = (1 - confidence) / 2;
  const failures = arm.trials - arm.successes;
  return [
    arm.successes === 0 ? 0 : betaQuantile(tail, arm.successes, failures + 1),
    failures === 0 ? 1 : betaQuantile(1 - tail, arm.successes + 1, failures),
  ];
}

function criticalValue(confidence: number): number {
  requireFraction('confidence', confidence);
  return normalQuantile(0.5 + confidence / 2);
}

function rate(arm: Proportion): number {
  requireInteger('trials', arm.trials, 1);
  requireInteger('successes', arm.successes);
  if (arm.successes > arm.trials) {
    throw new RangeError(`successes must not exceed trials ${arm.trials}, got ${arm.successes}`);
  }
  return arm.successes / arm.trials;
}
