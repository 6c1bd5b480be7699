/** The metrics of monitoring, as data: what they are called, what they say, by which labels. */

export interface MetricFamily {
  /** Counters only grow, over restarts too; gauges are the last value. */
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Labels under which Seldon Core counts feedback, with its names for them: a route is a predictor. */
const predictor = ['deployment_name', 'predictor_name', 'predictor_version', 'model_name', 'model_version'] as const;
const quality = ['deployment', 'deployment_version', 'route', 'model', 'model_version', 'segment'] as const;
const route = ['deployment', 'route', 'model', 'model_version'] as const;

export const families = {
  seldon_api_model_feedback_total: {
    type: 'counter',
    help: 'Feedback that was joined to its prediction.',
    labels: predictor,
  },
  seldon_api_model_feedback_reward_total: {
    type: 'counter',
    help: 'Sum of the rewards above zero.',
    labels: predictor,
  },
  millrace_negative_reward_total: {
    type: 'counter',
    help: 'Sum of the rewards below zero, as a positive number.',
    labels: route,
  },
  millrace_prediction_errors_total: { type: 'counter', help: 'Predictions whose truth is known.', labels: route },
  millrace_prediction_squared_error_total: { type: 'counter', help: 'Sum of their squared errors.', labels: route },
  millrace_prediction_absolute_error_total: { type: 'counter', help: 'Sum of their absolute errors.', labels: route },
  millrace_feedback_closed_total: {
    type: 'counter',
    help: 'Feedback that earned nothing: duplicate, contradictory, unmatched, late, not-comparable.',
    labels: ['deployment', 'outcome'],
  },
  millrace_reward_failed_total: {
    type: 'counter',
    help: 'Rewards that the function of a deployment did not make, by code of the failure.',
    labels: ['deployment', 'code'],
  },
  millrace_quality: {
    type: 'gauge',
    help: 'Quality metrics of the last window: rmse, mae, mean_error, r2, accuracy, f1, log_loss, brier, auc, calibration_error, reward_mean, reward_median. An empty route is all of them.',
    labels: [...quality, 'metric'],
  },
  millrace_quality_rows: { type: 'gauge', help: 'Rows of that window.', labels: quality },
  millrace_experiment_p_value: { type: 'gauge', help: 'Of the last look at the experiment.', labels: ['deployment'] },
  millrace_experiment_threshold: { type: 'gauge', help: 'The p-value that it had to reach.', labels: ['deployment'] },
  millrace_experiment_ratio_p_value: {
    type: 'gauge',
    help: 'That its rewards lie on the routes as planned, at the last look; near 0, requests or feedback of a route get lost.',
    labels: ['deployment'],
  },
  millrace_experiment_mean_squared_error: {
    type: 'gauge',
    help: 'Of each route, as of the last look; bound is estimate, low or high.',
    labels: ['deployment', 'route', 'bound'],
  },
  millrace_drift_windows_total: {
    type: 'counter',
    help: 'Windows by detector and verdict: drifted, clean or not-assessed.',
    labels: ['deployment', 'detector', 'verdict'],
  },
  millrace_drift_assessed_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last verdict on a window was said, in seconds since 1970.',
    labels: ['deployment', 'detector'],
  },
  millrace_drift_p_value: {
    type: 'gauge',
    help: 'Of the last window.',
    labels: ['deployment', 'detector', 'feature', 'test'],
  },
  millrace_drift_effect_size: {
    type: 'gauge',
    help: 'Of the last window.',
    labels: ['deployment', 'detector', 'feature', 'test'],
  },
  millrace_drift_psi: {
    type: 'gauge',
    help: 'Population stability index of the last window.',
    labels: ['deployment', 'detector', 'feature'],
  },
  millrace_drift_detected: {
    type: 'gauge',
    help: '1 when the feature had drifted in the last window.',
    labels: ['deployment', 'detector', 'feature'],
  },
  millrace_outlier_rows_total: {
    type: 'counter',
    help: 'Rows by verdict: outlier, inlier, or unscored for want of values.',
    labels: ['deployment', 'detector', 'verdict'],
  },
  millrace_alerts_total: { type: 'counter', help: 'Alerts that were raised.', labels: ['deployment', 'kind'] },
  millrace_alert_active: {
    type: 'gauge',
    help: '1 from the raising of an alert to its clearing.',
    labels: ['deployment', 'kind', 'subject'],
  },
} as const satisfies Readonly<Record<string, MetricFamily>>;

export type MetricName = keyof typeof families;
