/** Outcomes of predictions, as the API answers them. */

/** What the call that handed a request in gets: nothing is predicted yet. */
export interface SubmittedPrediction {
  /** What to ask for the outcome with. */
  readonly id: string;
  readonly predictionId: string;
  readonly status: 'in_queue';
}

/** Where a prediction stands. */
export type ShownPrediction = PendingPrediction | CompletedPrediction | FailedPrediction;

export interface PendingPrediction extends SubmittedPrediction {
  /** When it was handed in, milliseconds since the epoch. */
  readonly submittedAt: number;
}

export interface CompletedPrediction {
  readonly id: string;
  readonly predictionId: string;
  readonly status: 'completed';
  readonly completedAt: number;
  /** Where the time went, milliseconds: waiting for a run, the run, and until the outcome was on the log. */
  readonly stages: { readonly queueMs: number; readonly runMs: number; readonly publishMs: number };
  /** Infer response of the Open Inference Protocol v2. */
  readonly result: PredictionResult;
}

export interface PredictionResult {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly parameters: {
    readonly prediction_id: string;
    readonly route: string;
    readonly model: string;
    readonly model_version: number;
  };
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly data: readonly (number | boolean | string)[];
  }[];
}

export interface FailedPrediction {
  readonly id: string;
  readonly predictionId: string;
  readonly status: 'failed';
  readonly completedAt: number;
  readonly error: { readonly code: string; readonly message: string };
}
