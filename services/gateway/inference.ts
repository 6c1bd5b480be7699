import type { Check } from '../../schemas/api/deployments.ts';

/** What the gateway needs of a model server in the same process; `ModelServer` of services/model-server fits. */
export interface Inference {
  /** Resolves once the outcome is on the log. Rejects with OVERLOADED when the request was not admitted. */
  inferOpen(request: OpenInferRequest): Promise<OpenInferAnswer>;
  /** NOT_FOUND when there is no such deployment. */
  describe(deployment: string): Promise<DeploymentDescription>;
  /** Loads the models of all routes; UNAVAILABLE when that takes longer than `withinMs`, while it goes on. */
  warm(deployment: string, versionMin?: number, withinMs?: number): Promise<void>;
  /** Probes the whole way of a request to that version; what does not hold is said of each check. */
  readiness(deployment: string, version: number): Promise<readonly Check[]>;
  deployments(): readonly { readonly name: string; readonly version: number }[];
  /** Deployments, and whether their models are in memory. */
  repository(): readonly RepositoryEntry[];
  /** Gives memory back; the next request loads again. NOT_FOUND when there is no such deployment. */
  unload(deployment: string): Promise<void>;
}

export interface RepositoryEntry {
  readonly name: string;
  readonly version: number;
  readonly loaded: boolean;
  /** Why it cannot be loaded. */
  readonly reason?: string;
}

export interface OpenInferRequest {
  readonly deployment: string;
  readonly entity?: string | undefined;
  readonly clientId?: string | undefined;
  readonly source?: string | undefined;
  /** Header `millrace-deadline`, as it came. */
  readonly deadline?: string | undefined;
  /** Milliseconds since the epoch; comes before `deadline`. */
  readonly deadlineMs?: number | undefined;
  /** Header `millrace-deployment-version`, as it came. */
  readonly versionMin?: string | undefined;
  /** Header `millrace-event-time`, or the time of a CloudEvent, as it came. */
  readonly eventTime?: string | undefined;
  /** Header `x-seldon-route` or `millrace-route`, as it came. */
  readonly route?: string | undefined;
  /** Parsed JSON of Open Inference Protocol v2, or a function that makes it of another format; what it throws is the outcome. */
  readonly body: unknown;
  /** Whether whoever asked has gone: what has not run yet is then dropped, unless it has a client's id, by which it may be asked again. */
  readonly cancelled?: (() => boolean) | undefined;
  /** What came behind the JSON. */
  readonly binary?: Uint8Array | undefined;
}

export type OpenInferAnswer =
  | {
      readonly type: 'completed';
      readonly predictionId: string;
      readonly route: string;
      readonly body: object;
      /** To be put behind the JSON. */
      readonly binary?: Uint8Array | undefined;
    }
  | FailedAnswer;

export interface FailedAnswer {
  readonly type: 'failed';
  readonly predictionId: string;
  readonly code: string;
  readonly message: string;
}

export interface DeploymentDescription {
  readonly name: string;
  readonly version: number;
  readonly platform: string;
  readonly signature: {
    readonly inputs: readonly TensorDescription[];
    readonly outputs: readonly TensorDescription[];
  };
}

export interface TensorDescription {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}
