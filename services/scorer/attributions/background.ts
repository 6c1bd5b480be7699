import type { FeatureSpec } from '../../../schemas/deployment-document.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { NotAssessable, type Reference } from '../reference-sample.ts';

/** Rows of the reference in the order of the model's columns, and where in it they stand. */
export interface Background {
  readonly rows: readonly (readonly number[])[];
  /** In the reference sample. */
  readonly places: readonly number[];
}

/**
 * At most `max` rows without missing values, the same for every prediction. Columns are found by name where all are there, else by place.
 * @throws NotAssessable when the reference has other columns.
 */
export function backgroundOf(
  reference: Reference,
  hash: string,
  { names, columns }: { readonly names: readonly string[]; readonly columns: readonly string[] },
  features: readonly FeatureSpec[],
  max: number,
): Background {
  const table = lists(reference, names) ?? lists(reference, columns) ?? byPlace(reference, names.length, features);
  if (table === undefined) {
    const there = [...reference.columns.keys()].slice(0, 20).join(', ');
    throw new NotAssessable(`the reference sample has the columns ${there}, the prediction has ${names.join(', ')}`);
  }
  const whole = Array.from({ length: reference.rows }, (_, place) => place).filter((place) =>
    table.every((values) => Number.isFinite(values[place])),
  );
  if (whole.length === 0) throw new NotAssessable('every row of the reference sample lacks a value');
  const random = seededRandom(`background/${hash}`);
  const chosen =
    whole.length <= max
      ? whole
      : [...random.sample(whole.length, max)].sort((a, b) => a - b).map((at) => whole[at] ?? 0);
  return { places: chosen, rows: chosen.map((place) => table.map((values) => values[place] ?? 0)) };
}

function lists({ columns }: Reference, names: readonly string[]): readonly Float64Array[] | undefined {
  const found = names.map((name) => columns.get(name));
  return found.every((values) => values !== undefined) ? found : undefined;
}

/** What the reference holds beside the features are answers. */
function byPlace(
  { columns }: Reference,
  width: number,
  features: readonly FeatureSpec[],
): readonly Float64Array[] | undefined {
  const named = features.map(({ name }) => columns.get(name)).filter((values) => values !== undefined);
  if (named.length === width) return named;
  return columns.size === width ? [...columns.values()] : undefined;
}
