/** Things of MLflow's REST API, as they travel. */
export interface MlflowPair {
  readonly key: string;
  readonly value: string;
}

export interface MlflowPoint {
  readonly key: string;
  readonly value: number | string;
  readonly timestamp: number;
  readonly step?: number;
}

export interface MlflowExperiment {
  readonly experiment_id: string;
  readonly name: string;
  readonly lifecycle_stage: string;
  readonly tags?: readonly MlflowPair[];
}

export interface MlflowRun {
  readonly info: {
    readonly run_id: string;
    readonly run_name?: string;
    readonly experiment_id: string;
    readonly user_id?: string;
    readonly status: string;
    readonly start_time: number;
    readonly end_time?: number;
    readonly artifact_uri: string;
    readonly lifecycle_stage: string;
  };
  readonly data?: {
    readonly metrics?: readonly MlflowPoint[];
    readonly params?: readonly MlflowPair[];
    readonly tags?: readonly MlflowPair[];
  };
  readonly inputs?: {
    readonly dataset_inputs?: readonly { readonly dataset: { readonly name: string; readonly digest: string } }[];
    readonly model_inputs?: readonly { readonly model_id: string }[];
  };
  readonly outputs?: { readonly model_outputs?: readonly { readonly model_id: string; readonly step?: number }[] };
}

export interface MlflowFile {
  readonly path: string;
  readonly is_dir?: boolean;
  readonly file_size?: number;
}

export interface MlflowLoggedModel {
  readonly info: {
    readonly model_id: string;
    readonly name: string;
    readonly model_type?: string;
    readonly source_run_id?: string;
    readonly artifact_uri: string;
    readonly status: string | number;
    readonly tags?: readonly MlflowPair[];
  };
  readonly data?: {
    readonly params?: readonly MlflowPair[];
    readonly metrics?: readonly (MlflowPoint & {
      readonly model_id?: string;
      readonly run_id?: string;
      readonly dataset_name?: string;
      readonly dataset_digest?: string;
    })[];
  };
}

export interface MlflowModel {
  readonly name: string;
  readonly description?: string;
  readonly tags?: readonly MlflowPair[];
  readonly aliases?: readonly { readonly alias: string; readonly version: string }[];
}

export interface MlflowVersion {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly current_stage?: string;
  readonly source?: string;
  readonly run_id?: string;
  readonly tags?: readonly MlflowPair[];
}
