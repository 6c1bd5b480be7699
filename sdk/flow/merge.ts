/**
 * `merge` of a join, by Metaflow's rules (`merge_artifacts`): names that the join sets itself are never touched; of all others, one
 * content wherever it occurs is passed down, two are a conflict; all conflicts are one error and nothing is passed down; `include` must
 * name what exists. Only references move, no bytes.
 */
import { invalidArgument } from '../../runtime/ports/errors.ts';
import type { StepCall } from '../../runtime/ports/flow-code.ts';

export interface MergeOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/** What `merge` answers, for the join to return. */
export class Merged {
  readonly own: object;
  readonly options: MergeOptions;

  constructor(own: object, options: MergeOptions) {
    if (options.include !== undefined && options.exclude !== undefined)
      throw invalidArgument('merge takes either include or exclude: remove one of them');
    this.own = own;
    this.options = options;
  }
}

export class MergeConflictError extends Error {
  override readonly name = 'MergeConflictError';
  readonly retry = false;
  readonly conflicts: readonly string[];

  constructor(step: string, conflicts: readonly string[]) {
    super(
      `join '${step}' cannot merge ${conflicts.map((name) => `'${name}'`).join(', ')}: the inputs have different contents; set ${conflicts.length === 1 ? 'it' : 'them'} in the join, or exclude ${conflicts.length === 1 ? 'it' : 'them'}`,
    );
    this.conflicts = conflicts;
  }
}

export class MergeMissingError extends Error {
  override readonly name = 'MergeMissingError';
  readonly retry = false;
  readonly missing: readonly string[];

  constructor(step: string, missing: readonly string[]) {
    super(`join '${step}' is to merge ${missing.map((name) => `'${name}'`).join(', ')}, which no input has`);
    this.missing = missing;
  }
}

export function mergeOf(answer: unknown): Merged | undefined {
  return answer instanceof Merged ? answer : undefined;
}

/** Which artifacts go down, and from which input (-1: from before). */
export function passedDown(
  { step, inputs, hashes: before }: Pick<StepCall, 'step' | 'inputs' | 'hashes'>,
  own: Readonly<Record<string, unknown>>,
  { include, exclude }: MergeOptions,
): Readonly<Record<string, number>> {
  const names = new Set(Object.keys(before));
  for (const { hashes } of inputs) for (const name of Object.keys(hashes)) names.add(name);
  const missing = (include ?? []).filter((name) => !names.has(name) && !Object.hasOwn(own, name));
  if (missing.length > 0) throw new MergeMissingError(step, missing);
  const wanted = new Set(include ?? names);
  for (const name of exclude ?? []) wanted.delete(name);
  const passed: Record<string, number> = {};
  const conflicts: string[] = [];
  for (const name of names) {
    if (!wanted.has(name) || Object.hasOwn(own, name)) continue;
    const source = sourceOf(name, before, inputs);
    if (source === undefined) conflicts.push(name);
    else passed[name] = source;
  }
  if (conflicts.length > 0) throw new MergeConflictError(step, conflicts.sort());
  return passed;
}

/** At the end of each input its own version is visible, or else the one from before. Undefined when two differ. */
function sourceOf(name: string, before: StepCall['hashes'], inputs: StepCall['inputs']): number | undefined {
  let source = -1;
  let content = inputs.every(({ hashes }) => Object.hasOwn(hashes, name)) ? undefined : before[name];
  for (const [place, { hashes }] of inputs.entries()) {
    const found = hashes[name];
    if (found === undefined || found === content) continue;
    if (content !== undefined) return undefined;
    content = found;
    source = place;
  }
  return source;
}
