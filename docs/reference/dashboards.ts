/** Grafana dashboards as data: rows of panels, each with the queries that it draws. */

interface Panel {
  readonly title: string;
  /** Grafana's unit id. */
  readonly unit: string;
  readonly queries: readonly { readonly expression: string; readonly legend: string }[];
  readonly kind?: 'timeseries' | 'stat' | 'table';
  readonly description?: string;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Drop-down lists: the label values of a metric. */
  readonly variables: readonly { readonly name: string; readonly metric: string; readonly label: string }[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

const one = (expression: string, legend = ''): Panel['queries'] => [{ expression, legend }];
const window = '$__rate_interval';
const chosen = 'deployment=~"$deployment",route=~"$route"';
const percentiles = [0.5, 0.75, 0.9, 0.95, 0.99];
const perModel = 'sum by (deployment_name, predictor_name, model_name, model_version)';

export const dashboards: readonly Dashboard[] = [
  {
    uid: 'millrace-predictions',
    title: 'Millrace: predictions',
    description: 'Rate, success, latency and reward, as a whole, by deployment, by route and model.',
    variables: [
      { name: 'deployment', metric: 'millrace_predictions_total', label: 'deployment' },
      { name: 'route', metric: 'millrace_predictions_total', label: 'route' },
    ],
    rows: [
      {
        title: 'All deployments',
        panels: [
          {
            title: 'Requests',
            unit: 'reqps',
            kind: 'stat',
            queries: one(`sum(rate(millrace_predictions_total[${window}]))`),
          },
          {
            title: 'Success',
            unit: 'percentunit',
            kind: 'stat',
            queries: one(
              `sum(rate(millrace_predictions_total{outcome="completed"}[${window}])) / sum(rate(millrace_predictions_total[${window}]))`,
            ),
          },
          {
            title: 'HTTP 4xx',
            unit: 'reqps',
            kind: 'stat',
            queries: one(
              `sum(rate(millrace_http_request_duration_seconds_count{status=~"4.."}[${window}])) or vector(0)`,
            ),
          },
          {
            title: 'HTTP 5xx',
            unit: 'reqps',
            kind: 'stat',
            queries: one(
              `sum(rate(millrace_http_request_duration_seconds_count{status=~"5.."}[${window}])) or vector(0)`,
            ),
          },
          {
            title: 'Failures by code',
            unit: 'reqps',
            queries: one(
              `sum by (outcome, code) (rate(millrace_predictions_total{outcome!="completed"}[${window}]))`,
              '{{outcome}} {{code}}',
            ),
          },
        ],
      },
      {
        title: 'By deployment and route',
        panels: [
          {
            title: 'Requests',
            unit: 'reqps',
            queries: one(
              `sum by (deployment, route) (rate(millrace_predictions_total{${chosen}}[${window}]))`,
              '{{deployment}} {{route}}',
            ),
          },
          {
            title: 'Latency',
            unit: 's',
            description: 'Waiting and running, without publishing.',
            queries: percentiles.map((share) => ({
              expression: `histogram_quantile(${share}, sum by (le) (rate(millrace_prediction_seconds_bucket{${chosen}}[${window}])))`,
              legend: `p${share * 100}`,
            })),
          },
          {
            title: 'Latency by route, p95',
            unit: 's',
            queries: one(
              `histogram_quantile(0.95, sum by (le, deployment, route) (rate(millrace_prediction_seconds_bucket{${chosen}}[${window}])))`,
              '{{deployment}} {{route}}',
            ),
          },
        ],
      },
      {
        title: 'Reward and error',
        panels: [
          {
            title: 'Mean reward',
            unit: 'short',
            description:
              'A few large rewards can move a mean far: look at the errors beside it before you judge by it.',
            queries: one(
              `(${perModel} (rate(seldon_api_model_feedback_reward_total{deployment_name=~"$deployment",predictor_name=~"$route"}[${window}])))` +
                ` / (${perModel} (rate(seldon_api_model_feedback_total{deployment_name=~"$deployment",predictor_name=~"$route"}[${window}])))`,
              '{{predictor_name}} {{model_name}}/{{model_version}}',
            ),
          },
          {
            title: 'Root mean squared error',
            unit: 'short',
            queries: one(
              `sqrt(sum by (deployment, route) (rate(millrace_prediction_squared_error_total{${chosen}}[${window}])) / sum by (deployment, route) (rate(millrace_prediction_errors_total{${chosen}}[${window}])))`,
              '{{deployment}} {{route}}',
            ),
          },
          {
            title: 'Mean absolute error',
            unit: 'short',
            queries: one(
              `sum by (deployment, route) (rate(millrace_prediction_absolute_error_total{${chosen}}[${window}])) / sum by (deployment, route) (rate(millrace_prediction_errors_total{${chosen}}[${window}]))`,
              '{{deployment}} {{route}}',
            ),
          },
          {
            title: 'Mean squared error since the start, with its interval',
            unit: 'short',
            queries: one(
              'millrace_experiment_mean_squared_error{deployment=~"$deployment",route=~"$route"}',
              '{{route}} {{bound}}',
            ),
          },
          {
            title: 'Experiment: p-value and the value to reach',
            unit: 'short',
            queries: [
              {
                expression: 'millrace_experiment_p_value{deployment=~"$deployment"}',
                legend: '{{deployment}} p-value',
              },
              {
                expression: 'millrace_experiment_threshold{deployment=~"$deployment"}',
                legend: '{{deployment}} threshold',
              },
              {
                expression: 'millrace_experiment_ratio_p_value{deployment=~"$deployment"}',
                legend: '{{deployment}} sample ratio',
              },
            ],
          },
          {
            title: 'Feedback that earned nothing',
            unit: 'reqps',
            queries: one(
              `sum by (outcome) (rate(millrace_feedback_closed_total{deployment=~"$deployment|"}[${window}]))`,
              '{{outcome}}',
            ),
          },
        ],
      },
    ],
  },
  {
    uid: 'millrace-monitoring',
    title: 'Millrace: drift and outliers',
    description: 'What the detectors say of each deployment.',
    variables: [{ name: 'deployment', metric: 'millrace_drift_windows_total', label: 'deployment' }],
    rows: [
      {
        title: 'Alerts',
        panels: [
          {
            title: 'Active alerts',
            unit: 'none',
            kind: 'table',
            queries: one('millrace_alert_active{deployment=~"$deployment"}', '{{kind}} {{subject}}'),
          },
          {
            title: 'Raised',
            unit: 'short',
            queries: one(`sum by (kind) (increase(millrace_alerts_total{deployment=~"$deployment"}[1h]))`, '{{kind}}'),
          },
        ],
      },
      {
        title: 'Drift',
        panels: [
          {
            title: 'Windows by verdict',
            unit: 'short',
            queries: one(
              `sum by (verdict) (increase(millrace_drift_windows_total{deployment=~"$deployment"}[1h]))`,
              '{{verdict}}',
            ),
          },
          {
            title: 'Since the last verdict',
            unit: 's',
            kind: 'stat',
            queries: one(
              'time() - max by (deployment) (millrace_drift_assessed_timestamp_seconds{deployment=~"$deployment"})',
              '{{deployment}}',
            ),
          },
          {
            title: 'p-value by feature',
            unit: 'short',
            queries: one('millrace_drift_p_value{deployment=~"$deployment"}', '{{feature}} ({{test}})'),
          },
          {
            title: 'Effect size by feature',
            unit: 'short',
            queries: one('millrace_drift_effect_size{deployment=~"$deployment"}', '{{feature}} ({{test}})'),
          },
          {
            title: 'Population stability index',
            unit: 'short',
            queries: one('millrace_drift_psi{deployment=~"$deployment"}', '{{feature}}'),
          },
          {
            title: 'Drifted',
            unit: 'short',
            queries: one('millrace_drift_detected{deployment=~"$deployment"}', '{{feature}}'),
          },
        ],
      },
      {
        title: 'Outliers',
        panels: [
          {
            title: 'Share of outlying rows',
            unit: 'percentunit',
            queries: one(
              `sum by (deployment) (rate(millrace_outlier_rows_total{deployment=~"$deployment",verdict="outlier"}[${window}])) / sum by (deployment) (rate(millrace_outlier_rows_total{deployment=~"$deployment",verdict!="unscored"}[${window}]))`,
              '{{deployment}}',
            ),
          },
          {
            title: 'Rows by verdict',
            unit: 'short',
            queries: one(
              `sum by (verdict) (increase(millrace_outlier_rows_total{deployment=~"$deployment"}[1h]))`,
              '{{verdict}}',
            ),
          },
        ],
      },
      {
        title: 'Quality',
        panels: [
          {
            title: 'Quality of the last window',
            description: 'All rows of all routes and of each; docs/monitoring.md says what each metric is.',
            unit: 'short',
            queries: one(
              'millrace_quality{deployment=~"$deployment",segment=""}',
              '{{deployment}} {{route}} {{metric}}',
            ),
          },
          {
            title: 'By segment',
            unit: 'short',
            queries: one(
              'millrace_quality{deployment=~"$deployment",segment!="",route=""}',
              '{{deployment}} {{segment}} {{metric}}',
            ),
          },
          {
            title: 'Rewards that a function did not make',
            unit: 'short',
            queries: one(
              'sum by (deployment, code) (increase(millrace_reward_failed_total{deployment=~"$deployment"}[1h]))',
              '{{deployment}} {{code}}',
            ),
          },
        ],
      },
      {
        title: 'Webhooks',
        panels: [
          {
            title: 'Requests by outcome',
            unit: 'reqps',
            queries: one(
              `sum by (outcome) (rate(millrace_task_records_total{outcome=~"requests[.].*"}[${window}]))`,
              '{{outcome}}',
            ),
          },
          {
            title: 'Given up in an hour',
            unit: 'short',
            kind: 'stat',
            queries: one(
              'sum(increase(millrace_task_records_total{outcome=~"requests[.](dead|expired)"}[1h])) or vector(0)',
              'dead or expired',
            ),
          },
        ],
      },
    ],
  },
  {
    uid: 'millrace-log',
    title: 'Millrace: log and ledger',
    description: 'Whether every reader keeps up, and whether the books balance.',
    variables: [{ name: 'task', metric: 'millrace_task_up', label: 'task' }],
    rows: [
      {
        title: 'Keeping up',
        panels: [
          { title: 'Tasks that run', unit: 'none', kind: 'stat', queries: one('sum(millrace_task_up{task=~"$task"})') },
          {
            title: 'Lag',
            unit: 'short',
            queries: one('topk(10, millrace_task_lag_records{task=~"$task"})', '{{task}}'),
          },
          {
            title: 'Age of the newest processed record',
            unit: 's',
            queries: one(
              'topk(10, millrace_task_age_seconds{task=~"$task"} and millrace_task_lag_records > 0)',
              '{{task}}',
            ),
          },
          {
            title: 'Queue',
            unit: 'short',
            queries: one('topk(10, millrace_task_queue_records{task=~"$task"})', '{{task}}'),
          },
          {
            title: 'Time of a commit',
            unit: 's',
            queries: one(
              `sum by (task) (rate(millrace_task_commit_seconds_sum{task=~"$task"}[${window}])) / sum by (task) (rate(millrace_task_commits{task=~"$task"}[${window}]))`,
              '{{task}}',
            ),
          },
        ],
      },
      {
        title: 'Ledger',
        panels: [
          {
            title: 'Records taken',
            unit: 'cps',
            queries: one(
              `sum by (task) (rate(millrace_task_records_total{task=~"$task",outcome="in"}[${window}]))`,
              '{{task}}',
            ),
          },
          {
            title: 'By outcome',
            unit: 'cps',
            queries: one(
              `sum by (outcome) (rate(millrace_task_records_total{task=~"$task",outcome=~"ticks|repeats|staleBranches|folded|handled|dead"}[${window}]))`,
              '{{outcome}}',
            ),
          },
          {
            title: 'Dead letters',
            unit: 'short',
            kind: 'stat',
            queries: one('sum(millrace_task_records_total{task=~"$task",outcome="dead"}) or vector(0)'),
          },
          {
            title: 'Gaps',
            unit: 'short',
            kind: 'stat',
            queries: one('sum(millrace_task_records_total{task=~"$task",outcome="gaps"}) or vector(0)'),
          },
        ],
      },
    ],
  },
];

const width = 8;
const height = 8;

/** The text of a dashboard as Grafana imports it; the data source is chosen there. */
export function grafanaJson({ uid, title, description, variables, rows }: Dashboard): string {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({ type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y: y++, w: 24, h: 1 } });
    for (const [index, panel] of row.panels.entries()) {
      panels.push({
        type: panel.kind ?? 'timeseries',
        title: panel.title,
        ...(panel.description === undefined ? {} : { description: panel.description }),
        datasource,
        gridPos: { x: (index % 3) * width, y: y + Math.floor(index / 3) * height, w: width, h: height },
        fieldConfig: { defaults: { unit: panel.unit }, overrides: [] },
        targets: panel.queries.map(({ expression, legend }, query) => ({
          refId: String.fromCharCode(65 + query),
          datasource,
          expr: expression,
          legendFormat: legend,
          ...(panel.kind === 'table' ? { instant: true, format: 'table' } : {}),
        })),
      });
    }
    y += Math.ceil(row.panels.length / 3) * height;
  }
  const templating = [
    { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
    ...variables.map(({ name, metric, label }) => ({
      name,
      type: 'query',
      datasource,
      query: { query: `label_values(${metric}, ${label})`, refId: name },
      includeAll: true,
      allValue: '.*',
      multi: true,
      current: { text: 'All', value: '$__all' },
      refresh: 2,
    })),
  ];
  const dashboard = {
    uid,
    title,
    description,
    tags: ['millrace'],
    schemaVersion: 39,
    editable: true,
    time: { from: 'now-1h', to: 'now' },
    refresh: '10s',
    templating: { list: templating },
    panels: panels.map((panel, id) => ({ id: id + 1, ...panel })),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
