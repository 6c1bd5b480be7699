/** A prediction that was run again, as the API answers it. */

export interface PredictionReplay {
  readonly predictionId: string;
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly route: string;
  /** Every model that ran, with the hash of its file. */
  readonly models: readonly { readonly model: string; readonly modelVersion: number; readonly artifactHash: string }[];
  /** Whether the recorded inputs are those that the request had, by their digest. */
  readonly inputsIntact: boolean;
  /** Whether every output has the very same bytes, and a graph went the same way. */
  readonly identical: boolean;
  /** Digests of the outputs, canonical: see `schemas/input-digest.ts`. */
  readonly recordedDigest: string;
  readonly replayedDigest: string;
  /** What is not the same. */
  readonly differences: readonly OutputDifference[];
}

export interface OutputDifference {
  readonly output: string;
  /** Such as `2 of 3 values differ`, or that there is no such output. */
  readonly says: string;
  /** Largest absolute difference of two numbers; null: they are none. */
  readonly largest: number | null;
}
