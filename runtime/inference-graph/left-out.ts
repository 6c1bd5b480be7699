/** What decides which inputs a join within a window goes on without: time, or the record of a prediction that is run again. */
import type { LeftOut } from '../../schemas/inference-graph.ts';
import type { Clock } from '../ports/index.ts';

export type Windows =
  | { readonly clock: Pick<Clock, 'after'>; readonly leftOut?: undefined }
  | { readonly clock?: undefined; readonly leftOut: readonly LeftOut[] };

/** Of one evaluation: of a row by itself, or of all rows together (undefined). */
export class LeftOutInputs {
  readonly clock: Pick<Clock, 'after'> | undefined;
  readonly #recorded: ReadonlySet<string>;

  constructor({ clock, leftOut = [] }: Windows, row?: number) {
    this.clock = clock;
    const mine = leftOut.filter(({ rows }) => rows.length === 0 || (row !== undefined && rows.includes(row)));
    this.#recorded = new Set(mine.map(({ node, input }) => keyOf(node, input)));
  }

  has(node: string, input: string): boolean {
    return this.#recorded.size > 0 && this.#recorded.has(keyOf(node, input));
  }
}

/** What rows left out that were evaluated apart, each input once. */
export function mergeLeftOut(rows: readonly (readonly LeftOut[])[]): readonly LeftOut[] {
  const merged = new Map<string, LeftOut & { readonly rows: number[] }>();
  for (const [row, leftOut] of rows.entries()) {
    for (const { node, input } of leftOut) {
      const key = keyOf(node, input);
      const known = merged.get(key);
      if (known === undefined) merged.set(key, { node, input, rows: [row] });
      else known.rows.push(row);
    }
  }
  return [...merged.values()];
}

const keyOf = (node: string, input: string): string => `${node}\u0000${input}`;
