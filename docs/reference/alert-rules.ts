/** Prometheus recording and alert rules as data. Each alert has its section in docs/runbooks.md. */
import { stringify } from 'yaml';

interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  readonly summary: string;
}

export const recordingRules: readonly RecordingRule[] = [
  {
    record: 'deployment_route:millrace_predictions:rate5m',
    expr: 'sum by (deployment, route) (rate(millrace_predictions_total[5m]))',
  },
  {
    record: 'millrace:prediction_failures:ratio5m',
    expr: 'sum(rate(millrace_predictions_total{outcome!="completed"}[5m])) / sum(rate(millrace_predictions_total[5m]))',
  },
  {
    record: 'deployment_route:millrace_prediction_seconds:p99_5m',
    expr: 'histogram_quantile(0.99, sum by (le, deployment, route) (rate(millrace_prediction_seconds_bucket[5m])))',
  },
  {
    record: 'deployment_route:millrace_rmse:1h',
    expr: 'sqrt(sum by (deployment, route) (increase(millrace_prediction_squared_error_total[1h])) / sum by (deployment, route) (increase(millrace_prediction_errors_total[1h])))',
  },
  {
    record: 'deployment:millrace_outlier_rows:ratio1h',
    expr: 'sum by (deployment) (increase(millrace_outlier_rows_total{verdict="outlier"}[1h])) / sum by (deployment) (increase(millrace_outlier_rows_total{verdict!="unscored"}[1h]))',
  },
];

export const alertRules: readonly AlertRule[] = [
  {
    alert: 'MillraceTaskDown',
    expr: 'millrace_task_up == 0',
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.task }} has stopped',
  },
  {
    alert: 'MillraceProcessUnready',
    expr: 'millrace_ready == 0',
    for: '10m',
    severity: 'page',
    summary: '{{ $labels.instance }} is not ready',
  },
  {
    alert: 'MillraceTaskBehind',
    expr: 'millrace_task_lag_records > 1000 and millrace_task_age_seconds > 60',
    for: '5m',
    severity: 'page',
    summary: '{{ $labels.task }} is {{ $value }} records behind',
  },
  {
    alert: 'MillraceDeadLetters',
    expr: 'increase(millrace_task_records_total{outcome="dead"}[10m]) > 0',
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.task }} could not read or process records',
  },
  {
    alert: 'MillraceGap',
    expr: 'increase(millrace_task_records_total{outcome="gaps"}[10m]) > 0',
    for: '0m',
    severity: 'page',
    summary: '{{ $labels.task }} misses records that were said',
  },
  {
    alert: 'MillracePredictionsFail',
    expr: 'millrace:prediction_failures:ratio5m > 0.05',
    for: '5m',
    severity: 'page',
    summary: '{{ $value | humanizePercentage }} of the predictions fail',
  },
  {
    alert: 'MillracePredictionsSlow',
    expr: 'deployment_route:millrace_prediction_seconds:p99_5m > 0.5',
    for: '5m',
    severity: 'ticket',
    summary:
      '1 in 100 predictions of {{ $labels.deployment }} by {{ $labels.route }} takes longer than {{ $value | humanizeDuration }}',
  },
  {
    alert: 'MillraceAlertActive',
    expr: 'max by (deployment, kind) (millrace_alert_active) == 1',
    for: '0m',
    severity: 'ticket',
    summary: '{{ $labels.deployment }}: an alert of the kind {{ $labels.kind }} is active',
  },
  {
    alert: 'MillraceNoVerdict',
    expr: 'time() - max by (deployment) (millrace_drift_assessed_timestamp_seconds) > 3600 and on (deployment) sum by (deployment) (rate(millrace_predictions_total[5m])) > 0',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.deployment }} answers, but no window was judged for {{ $value | humanizeDuration }}',
  },
  {
    alert: 'MillraceOutliers',
    expr: 'deployment:millrace_outlier_rows:ratio1h > 0.1',
    for: '10m',
    severity: 'ticket',
    summary: '{{ $value | humanizePercentage }} of the rows of {{ $labels.deployment }} are outliers',
  },
  {
    alert: 'MillraceErrorGrows',
    expr: 'deployment_route:millrace_rmse:1h > 1.5 * (deployment_route:millrace_rmse:1h offset 1d)',
    for: '30m',
    severity: 'ticket',
    summary: 'the error of {{ $labels.deployment }} by {{ $labels.route }} is half as large again as a day ago',
  },
  {
    alert: 'MillraceRewardsFail',
    expr: 'sum by (deployment, code) (increase(millrace_reward_failed_total[1h])) > 10',
    for: '5m',
    severity: 'ticket',
    summary: 'the reward function of {{ $labels.deployment }} fails: {{ $labels.code }}',
  },
  {
    alert: 'MillraceWebhookGaveUp',
    expr: 'sum(increase(millrace_task_records_total{outcome=~"requests[.](dead|expired)"}[1h])) > 0',
    for: '0m',
    severity: 'ticket',
    summary: 'events could not be sent to a webhook, and are not tried again',
  },
];

/** The text of `deploy/monitoring/rules.yaml`. */
export function prometheusRules(): string {
  const alerts = alertRules.map(({ alert, expr, for: after, severity, summary }) => ({
    alert,
    expr,
    for: after,
    labels: { severity },
    annotations: { summary, runbook: `docs/runbooks.md#${alert.toLowerCase()}` },
  }));
  const groups = [
    { name: 'millrace-recorded', rules: recordingRules },
    { name: 'millrace-alerts', rules: alerts },
  ];
  const head = '# Generated by `npm run generate` from docs/reference/alert-rules.ts. Do not edit.\n';
  return head + stringify({ groups }, { lineWidth: 0 });
}
