/** What an event says in numbers. Pure: the service keeps the sums. */
import type { EventOf } from '../../schemas/events.ts';
import type { MetricName } from './families.ts';

export type MonitoringEvent = EventOf<'rewards' | 'quality' | 'drift' | 'outliers' | 'alerts'>;

/** A change of one series; its labels are the values in the order of the family. */
export interface Sample {
  readonly metric: MetricName;
  readonly labels: readonly string[];
  readonly change: 'add' | 'set' | 'remove';
  readonly value: number;
}

const add = (metric: MetricName, labels: readonly string[], value = 1): Sample => {
  return { metric, labels, change: 'add', value };
};
const set = (metric: MetricName, labels: readonly string[], value: number): Sample => {
  return { metric, labels, change: 'set', value };
};

/** @param timeMs when the event was appended */
export function samplesOf(event: MonitoringEvent, timeMs: number): readonly Sample[] {
  switch (event.type) {
    case 'reward-recorded':
      return rewardSamples(event.data);
    case 'reward-due':
      return [];
    case 'reward-failed':
      return [add('millrace_reward_failed_total', [event.data.deployment, event.data.code])];
    case 'quality-assessed': {
      const { deployment, deploymentVersion, route, model, modelVersion, segment, metrics, rows, reward } = event.data;
      const labels = [deployment, String(deploymentVersion), route, model, String(modelVersion), segment];
      const summary =
        reward === null ? [] : (['mean', 'median'] as const).map((name) => [`reward_${name}`, reward[name]] as const);
      return [
        set('millrace_quality_rows', labels, rows),
        ...[...metrics.map(({ name, value }) => [name, value] as const), ...summary].map(([name, value]) =>
          set('millrace_quality', [...labels, name], value),
        ),
      ];
    }
    case 'feedback-closed':
      return [add('millrace_feedback_closed_total', [event.data.deployment ?? '', event.data.outcome])];
    case 'experiment-assessed': {
      const { deployment, routes, pValue, threshold, ratioPValue } = event.data;
      const name = 'millrace_experiment_mean_squared_error';
      return [
        set('millrace_experiment_p_value', [deployment], pValue),
        set('millrace_experiment_threshold', [deployment], threshold),
        // without planned shares there is nothing to hold the counts against
        ...(ratioPValue === null ? [] : [set('millrace_experiment_ratio_p_value', [deployment], ratioPValue)]),
        ...routes.flatMap(({ route, meanSquaredError, meanSquaredErrorLow, meanSquaredErrorHigh }) => [
          set(name, [deployment, route, 'estimate'], meanSquaredError),
          set(name, [deployment, route, 'low'], meanSquaredErrorLow),
          set(name, [deployment, route, 'high'], meanSquaredErrorHigh),
        ]),
      ];
    }
    case 'drift-assessed': {
      const { deployment, detector, features, drifted } = event.data;
      return [
        add('millrace_drift_windows_total', [deployment, detector, drifted ? 'drifted' : 'clean']),
        set('millrace_drift_assessed_timestamp_seconds', [deployment, detector], timeMs / 1_000),
        ...features.flatMap(({ name, test, pValue, effectSize, psi, drifted: isDrifted }) => [
          set('millrace_drift_p_value', [deployment, detector, name, test], pValue),
          set('millrace_drift_effect_size', [deployment, detector, name, test], effectSize),
          set('millrace_drift_psi', [deployment, detector, name], psi),
          set('millrace_drift_detected', [deployment, detector, name], isDrifted ? 1 : 0),
        ]),
      ];
    }
    case 'drift-not-assessed':
      return [add('millrace_drift_windows_total', [event.data.deployment, event.data.detector, 'not-assessed'])];
    case 'detectors-configured':
    case 'bounds-configured':
      return [];
    case 'outliers-assessed': {
      const { deployment, detector, rows, scoredRows, outliers } = event.data;
      const name = 'millrace_outlier_rows_total';
      return [
        add(name, [deployment, detector, 'outlier'], outliers.length),
        add(name, [deployment, detector, 'inlier'], scoredRows - outliers.length),
        add(name, [deployment, detector, 'unscored'], rows - scoredRows),
      ];
    }
    case 'alert-raised': {
      const { deployment, kind, subject } = event.data;
      return [
        add('millrace_alerts_total', [deployment, kind]),
        set('millrace_alert_active', [deployment, kind, subject], 1),
      ];
    }
    case 'alert-cleared': {
      const { deployment, kind, subject } = event.data;
      return [{ metric: 'millrace_alert_active', labels: [deployment, kind, subject], change: 'remove', value: 0 }];
    }
  }
}

type RewardRecorded = Extract<MonitoringEvent, { type: 'reward-recorded' }>['data'];

function rewardSamples(reward: RewardRecorded): readonly Sample[] {
  const { deployment, deploymentVersion, route, model, modelVersion } = reward;
  const predictor = [deployment, route, String(deploymentVersion), model, String(modelVersion)];
  const labels = [deployment, route, model, String(modelVersion)];
  const samples = [add('seldon_api_model_feedback_total', predictor)];
  if (reward.reward !== null && reward.reward >= 0)
    samples.push(add('seldon_api_model_feedback_reward_total', predictor, reward.reward));
  if (reward.reward !== null && reward.reward < 0)
    samples.push(add('millrace_negative_reward_total', labels, -reward.reward));
  if (reward.error !== null) {
    samples.push(
      add('millrace_prediction_errors_total', labels),
      add('millrace_prediction_squared_error_total', labels, reward.error ** 2),
      add('millrace_prediction_absolute_error_total', labels, Math.abs(reward.error)),
    );
  }
  return samples;
}
