import { MillraceError } from '../../runtime/ports/errors.ts';
import { tagProblems } from '../../schemas/flow-policy.ts';
import type { Tags } from './types.ts';

/** What one attempt asks of the run's tags. */
export class StepTags implements Tags {
  readonly #step: string;
  readonly #add = new Set<string>();
  readonly #remove = new Set<string>();

  constructor(step: string) {
    this.#step = step;
  }

  add(...tags: readonly string[]): void {
    for (const tag of this.#checked(tags)) {
      this.#add.add(tag);
      this.#remove.delete(tag);
    }
  }

  remove(...tags: readonly string[]): void {
    for (const tag of this.#checked(tags)) {
      this.#remove.add(tag);
      this.#add.delete(tag);
    }
  }

  /** Undefined: nothing. */
  get asked(): { readonly add: readonly string[]; readonly remove: readonly string[] } | undefined {
    if (this.#add.size + this.#remove.size === 0) return undefined;
    return { add: [...this.#add], remove: [...this.#remove] };
  }

  #checked(tags: readonly string[]): readonly string[] {
    const problems = tags.every((tag) => typeof tag === 'string') ? tagProblems(tags) : ['tags must be texts'];
    if (problems.length > 0)
      throw new MillraceError('INVALID_ARGUMENT', `step '${this.#step}' tags the run: ${problems.join('; ')}`);
    return tags;
  }
}
