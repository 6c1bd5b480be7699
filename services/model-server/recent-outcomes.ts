import type { Outcome } from './outcomes.ts';

/** Outcomes of requests with a client's id, so that a repeat gets the stored one. Bounded: the oldest go first. */
export class RecentOutcomes {
  readonly #outcomes = new Map<string, { readonly inputDigest: string; readonly outcome: Outcome }>();
  readonly #outcomesMax: number;

  constructor(outcomesMax: number) {
    this.#outcomesMax = outcomesMax;
  }

  get(predictionId: string): { readonly inputDigest: string; readonly outcome: Outcome } | undefined {
    return this.#outcomes.get(predictionId);
  }

  /** The first outcome of an id stays. */
  keep(predictionId: string, inputDigest: string, outcome: Outcome): void {
    if (this.#outcomes.has(predictionId)) return;
    this.#outcomes.set(predictionId, { inputDigest, outcome });
    if (this.#outcomes.size <= this.#outcomesMax) return;
    for (const oldest of this.#outcomes.keys()) {
      this.#outcomes.delete(oldest);
      return;
    }
  }
}
