/** What the methods of explanation work with, and what they give. */
import type { Tensor } from '../../../runtime/ports/index.ts';
import type { FeatureAttribution } from '../../../schemas/events.ts';
import type { Random } from '../../../statistics/random.ts';
import type { Reference } from '../reference-sample.ts';
import type { AttributionTask, Explanation } from './attribution-task.ts';
import type { Background } from './background.ts';
import type { InputRows } from './input-rows.ts';
import type { Explained } from './output-columns.ts';
import type { RouteModel } from './route-model.ts';

/** What a method works with. */
export interface Question {
  readonly task: AttributionTask;
  readonly reference: Reference;
  readonly inputs: InputRows;
  readonly explained: Explained;
  readonly route: RouteModel;
  readonly random: Random;
  /** Rows of the reference, at most `max`. */
  background(max: number): Background;
  /** Asks the route. */
  ask(rows: readonly (readonly number[])[]): Promise<readonly Tensor[]>;
  /** The explained column of each row. */
  predict(rows: readonly (readonly number[])[]): Promise<Float64Array>;
}

/** What a method finds; the rest is the same for all. */
export type Found = Pick<Explanation, 'base' | 'prediction' | 'features' | 'backgroundRows'> &
  Partial<Pick<Explanation, 'anchor' | 'counterfactual' | 'against' | 'output'>>;

/** Attributions beside the values of the explained row. */
export function featuresOf(
  { names, explained }: InputRows,
  attributions: ArrayLike<number>,
  deviations: ArrayLike<number> = [],
): FeatureAttribution[] {
  return names.map((name, column) => ({
    name,
    value: explained[column] ?? 0,
    attribution: attributions[column] ?? 0,
    deviation: deviations[column] ?? 0,
  }));
}
