/**
 * Anchors for a model of table rows: a held feature keeps its category, or stays in the quartile of the explained
 * value; the other features come from rows of the population.
 */
import { requireMatrix } from '../arguments.ts';
import { type AnchorProblem, type Rule } from './anchors.ts';
import { psiBin } from '../drift/psi.ts';
import { quantiles } from '../samples/quantiles.ts';
import type { Questions } from './questions.ts';
import type { Random } from '../random.ts';

export interface TabularAnchorOptions {
  /** Columns compared by equality instead of by quartile. @default none */
  readonly categorical?: readonly number[];
  /** Interior bin edges per column, in place of the quartiles. */
  readonly edges?: readonly (readonly number[])[];
}

export interface TabularAnchorProblem extends AnchorProblem {
  /** The condition that a rule's feature stands for: value = equals, or low ≤ value < high. */
  condition(feature: number): AnchorCondition;
}

export type AnchorCondition =
  | { readonly feature: number; readonly equals: number }
  | { readonly feature: number; readonly low: number; readonly high: number };

/**
 * @param answer of the model for the explained row: draws that get another one speak against a rule.
 * @throws RangeError for a ragged population or one without a row in some bin of the explained row.
 */
export function tabularAnchorProblem(
  row: readonly number[],
  answer: number,
  population: readonly ArrayLike<number>[],
  random: Random,
  options: TabularAnchorOptions = {},
): TabularAnchorProblem {
  const columns = requireMatrix('population', population);
  if (row.length !== columns) throw new RangeError(`row must have ${columns} columns, got ${row.length}`);
  const edges = row.map((_, j) => options.edges?.[j] ?? quartiles(population, j));
  const categorical = new Set(options.categorical ?? []);
  const holds = (value: number, j: number) =>
    categorical.has(j) ? value === row[j] : psiBin(value, edges[j] ?? []) === psiBin(row[j] ?? 0, edges[j] ?? []);
  // The explained value itself always qualifies, so a rare value still has something to draw.
  const held = row.map((own, j) => [own, ...population.map((r) => r[j] ?? 0).filter((value) => holds(value, j))]);
  return {
    features: columns,
    coverage: (rule: Rule) =>
      population.filter((r) => rule.every((j) => holds(r[j] ?? 0, j))).length / population.length,
    *draw(rule: Rule, count: number): Questions<number> {
      const rows = Array.from({ length: count }, () => {
        const drawn = Array.from(population[random.integer(population.length)] ?? []);
        for (const j of rule) drawn[j] = held[j]?.[random.integer(held[j]?.length ?? 1)] ?? 0;
        return drawn;
      });
      const answers = yield rows;
      return rows.filter((_, i) => answers[i] === answer).length;
    },
    condition: (feature) => {
      if (categorical.has(feature)) return { feature, equals: row[feature] ?? 0 };
      const own = edges[feature] ?? [];
      const bin = psiBin(row[feature] ?? 0, own);
      return { feature, low: own[bin - 1] ?? -Infinity, high: own[bin] ?? Infinity };
    },
  };
}

function quartiles(population: readonly ArrayLike<number>[], column: number): number[] {
  const cuts = quantiles(
    population.map((row) => row[column] ?? 0),
    [0.25, 0.5, 0.75],
  );
  return cuts.filter((cut, i) => i === 0 || cut !== cuts[i - 1]);
}
