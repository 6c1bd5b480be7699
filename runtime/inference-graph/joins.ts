/** What a node gets of those that it takes from. */
import { MillraceError, type Tensor } from '../ports/index.ts';
import type { Source, Waits } from './compile.ts';

/** What became of a node; without tensors it did not run. */
export interface Result {
  readonly tensors: readonly Tensor[] | undefined;
  /** Of a router. */
  readonly branches?: readonly string[] | undefined;
}

export interface Named {
  readonly name: string;
  readonly tensors: readonly Tensor[];
}

/** One entry per input that is there; undefined when the joins are not met. Of nodes that are not decided there is no result. */
export function joined(
  { inputs, join, triggers, triggerJoin }: Waits,
  results: readonly (Result | undefined)[],
  request: readonly Tensor[],
): readonly Named[] | undefined {
  const found: Named[] = [];
  for (const source of inputs) {
    const tensors = taken(source, results, request);
    if (tensors === undefined) {
      if (join === 'all') return undefined;
      continue;
    }
    found.push({ name: source.name, tensors });
    if (join === 'any') break;
  }
  if (found.length === 0) return undefined;
  if (triggers.length === 0) return found;
  const there = (source: Source): boolean => taken(source, results, request) !== undefined;
  return (triggerJoin === 'any' ? triggers.some(there) : triggers.every(there)) ? found : undefined;
}

/** undefined: it is not there. */
export function taken(
  { index, tensor, branch, as }: Source,
  results: readonly (Result | undefined)[],
  request: readonly Tensor[],
): readonly Tensor[] | undefined {
  const result: Result | undefined = index < 0 ? { tensors: request } : results[index];
  if (result?.tensors === undefined) return undefined;
  if (branch !== undefined) return result.branches?.includes(branch) === true ? result.tensors : undefined;
  if (tensor === undefined) return result.tensors;
  const one = result.tensors.find(({ name }) => name === tensor);
  return one === undefined ? undefined : [as === undefined ? one : { ...one, name: as }];
}

/** All tensors in one list; no name twice. */
export function together(found: readonly Named[], what: string): readonly Tensor[] {
  const [only, ...others] = found;
  if (others.length === 0) return only?.tensors ?? [];
  const all = found.flatMap(({ tensors }) => tensors);
  const twice = all.find(({ name }, index) => all.findIndex((other) => other.name === name) !== index);
  if (twice === undefined) return all;
  throw new MillraceError('INVALID_ARGUMENT', `${what} gets two tensors '${twice.name}': rename one with {from, as}`);
}
