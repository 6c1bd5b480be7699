/** What the service and its worker threads say to each other. */
import type { ErrorCode } from '../../../runtime/ports/errors.ts';
import type { DeploymentRoute, FeatureSpec } from '../../../schemas/deployment-document.ts';
import type { AttributionComputed, Tensor } from '../../../schemas/events.ts';
import type { AskedMethod } from '../../../schemas/explainers.ts';
import type { LeftOut } from '../../../schemas/inference-graph.ts';

export interface AttributionTask {
  readonly method: AskedMethod;
  /** Column of the answer; '' leaves the choice. */
  readonly output: string;
  readonly target: number | null;
  readonly row: number;
  /** Of everything that is drawn. */
  readonly seed: string;
  readonly predictionId: string;
  readonly entity: string;
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  /** What joins of the route's graph went on without. */
  readonly leftOut: readonly LeftOut[];
  readonly route: DeploymentRoute;
  readonly features: readonly FeatureSpec[];
  /** Tensor that feedback is compared with; '' when the deployment names none. */
  readonly mainOutput: string;
  readonly referenceHash: string;
  /** Bytes by hash that the thread asked for. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** Files of code bundles by hash. */
  readonly bundles: ReadonlyMap<string, string>;
}

export type Explanation = Pick<
  AttributionComputed,
  | 'method'
  | 'methodVersion'
  | 'output'
  | 'base'
  | 'prediction'
  | 'features'
  | 'anchor'
  | 'counterfactual'
  | 'backgroundRows'
  | 'rowsAsked'
  | 'computeMs'
  | 'against'
>;

export type AttributionAnswer =
  | { readonly type: 'explained'; readonly explanation: Explanation }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly reason: string }
  /** Ask again with these bytes. */
  | { readonly type: 'blobs-needed'; readonly hashes: readonly string[] };
