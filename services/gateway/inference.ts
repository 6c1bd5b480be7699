/** What the gateway needs of a model server in the same process; `ModelServer` of services/model-server fits. */
export interface Inference {
  /** Resolves once the outcome is on the log. Rejects with UNAVAILABLE when the request was not admitted. */
  inferOpen(request: OpenInferRequest): Promise<OpenInferAnswer>;
  /** NOT_FOUND when there is no such deployment. */
  describe(deployment: string): Promise<DeploymentDescription>;
  /** Loads the models of all routes. */
  warm(deployment: string, versionMin?: number): Promise<void>;
  deployments(): readonly { readonly name: string; readonly version: number }[];
}

export interface OpenInferRequest {
  readonly deployment: string;
  /** Parsed JSON of Open Inference Protocol v2. */
  readonly body: unknown;
  readonly entity?: string | undefined;
  readonly clientId?: string | undefined;
  readonly source?: string | undefined;
  /** Header `millrace-deadline`, as it came. */
  readonly deadline?: string | undefined;
  /** Header `millrace-deployment-version`, as it came. */
  readonly versionMin?: string | undefined;
  /** Header `x-seldon-route` or `millrace-route`, as it came. */
  readonly route?: string | undefined;
}

export type OpenInferAnswer =
  | { readonly type: 'completed'; readonly predictionId: string; readonly route: string; readonly body: object }
  | { readonly type: 'failed'; readonly predictionId: string; readonly code: string; readonly message: string };

export interface DeploymentDescription {
  readonly name: string;
  readonly version: number;
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
