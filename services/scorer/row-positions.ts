import type { OffsetRange } from '../../schemas/events.ts';

/** Where one row of a window lies. */
export interface RowPosition {
  readonly partition: number;
  readonly offset: number;
  /** Which row of its record it is. */
  readonly row: number;
}

/** Of all rows of a window, in their order. */
export function rowPositions(sources: readonly OffsetRange[]): readonly RowPosition[] {
  return sources.flatMap(({ partition, firstOffset, offsets, rows }) => {
    let offset = firstOffset;
    return offsets.map((step, index) => {
      offset += step;
      return { partition, offset, row: rows[index] ?? 0 };
    });
  });
}
