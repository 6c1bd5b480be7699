/** What the platform found and what was done to it, as the API answers it. Times are milliseconds since the epoch. */
import type { DriftAssessed, FeatureDrift } from '../events.generated.ts';

/** A drift verdict, outliers of a window, an experiment assessed, or an alert. */
export interface Finding {
  readonly id: string;
  readonly deployment: string;
  /** drift, outliers, experiment or alert. */
  readonly kind: string;
  /** Whether it says that something is the case: drifted, outlying, decided, raised. */
  readonly positive: boolean;
  readonly at: number;
  readonly summary: string;
}

export interface FindingSearch {
  readonly deployment?: string | undefined;
  readonly kind?: string | undefined;
  readonly limit: number;
}

/** A mutating call, by whom, and what came of it. */
export interface OperationSummary {
  readonly operationId: string;
  readonly action: string;
  readonly object: string;
  readonly actor: string;
  readonly outcome: string;
  readonly at: number;
}

export interface OperationSearch {
  readonly object?: string | undefined;
  readonly actor?: string | undefined;
  readonly limit: number;
}

/** How the values of a column lay, in shares of those that were there. */
export interface ComparedDistribution {
  readonly name: string;
  readonly categorical: boolean;
  /** Of numbers: one more than shares. Values beyond the ends lie in the outer bins. */
  readonly edges: readonly number[];
  /** Of categories: one each. */
  readonly categories: readonly string[];
  readonly reference: readonly number[];
  readonly window: readonly number[];
  readonly missing: { readonly reference: number; readonly window: number };
}

/** Numbers that JSON does not have come as the texts 'NaN', 'Infinity' and '-Infinity'. */
export interface ShownDrift {
  readonly finding: DriftAssessed;
  /** Reference against window, per column that the detector compared. */
  readonly distributions: readonly ComparedDistribution[];
  /** Why there are none. */
  readonly problem: string | null;
}

/** A drift finding computed again from the rows at the positions that it names. */
export interface DriftReplay {
  readonly findingId: string;
  readonly detector: string;
  readonly method: string;
  readonly rows: number;
  /** Every number is the same as in the finding. */
  readonly same: boolean;
  readonly recorded: readonly FeatureDrift[];
  readonly replayed: readonly FeatureDrift[];
}
