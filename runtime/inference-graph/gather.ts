/**
 * Waits for what a node takes: until each is decided, or until its window closes, which opens when the first is there. Within a window
 * `any` goes on as soon as nothing can come in front of the first that is there; those behind it are not waited for.
 */
import type { Clock, Tensor } from '../ports/index.ts';
import type { Source, Waits } from './compile.ts';
import { type Result, taken } from './joins.ts';

export interface Gathered<R> {
  /** By place in the graph; of what was left out there is none. */
  readonly results: readonly (R | undefined)[];
  /** Places of those that were waited for. */
  readonly needs: readonly number[];
  /** Not there when the window closed. */
  readonly leftOut: readonly Source[];
}

interface GatherParts<R> {
  readonly running: readonly Promise<R>[];
  readonly request: readonly Tensor[];
  /** Closes windows; undefined: `isLeftOut` alone decides. */
  readonly clock: Pick<Clock, 'after'> | undefined;
  /** Not waited for: the record says so. */
  readonly isLeftOut: (source: Source) => boolean;
}

/** Rejects as the first of those that it waits for. */
export function gather<R extends Result>(
  { inputs, triggers, join, windowMs }: Waits,
  { running, request, clock, isLeftOut }: GatherParts<R>,
): Promise<Gathered<R>> {
  const sources = triggers.length === 0 ? inputs : [...inputs, ...triggers];
  const open = new Set(sources.filter((source) => source.index >= 0 && !isLeftOut(source)).map(({ index }) => index));
  const results: (R | undefined)[] = [];
  const isThere = (source: Source): boolean => taken(source, results, request) !== undefined;

  /** `any`: the first input that is there, if none before it may come yet; -1. */
  const chosen = (): number => {
    const first = inputs.findIndex((source) => open.has(source.index) || isThere(source));
    return first < 0 || open.has(inputs[first]?.index ?? -1) ? -1 : first;
  };

  return new Promise((resolve, reject) => {
    let closed = false;
    let stop: (() => void) | undefined;
    const end = (): void => {
      closed = true;
      stop?.();
    };
    const close = (): void => {
      end();
      const first = windowMs !== undefined && join === 'any' ? inputs.findIndex(isThere) : -1;
      const behind = first < 0 ? [] : inputs.slice(first + 1);
      const counted = sources.filter((source) => source.index >= 0 && !behind.includes(source));
      const leftOut = counted.filter((source) => open.has(source.index) || isLeftOut(source));
      const needs = counted.filter((source) => !leftOut.includes(source)).map(({ index }) => index);
      resolve({ results, needs, leftOut });
    };
    const look = (): void => {
      if (open.size === 0) return close();
      if (windowMs === undefined) return;
      if (join === 'any' && chosen() >= 0 && !triggers.some(({ index }) => open.has(index))) return close();
      if (clock !== undefined && stop === undefined && sources.some(isThere)) stop = clock.after(windowMs, close);
    };
    const failed = (error: unknown): void => {
      if (closed) return;
      end();
      reject(error);
    };
    for (const index of [...open]) {
      running[index]?.then((result) => {
        if (closed) return;
        results[index] = result;
        open.delete(index);
        look();
      }, failed);
    }
    look();
  });
}
