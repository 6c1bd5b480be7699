import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { IdentifiedOutput } from '../../../runtime/engine/service.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { createMonitoringMetrics } from '../../../services/monitoring-metrics/monitoring-metrics.ts';

let test: TestRuntime;
afterEach(() => test.close());

/** A process with the service; what a scrape of it shows. */
async function scraped(): Promise<() => Promise<string[]>> {
  const registry = new Registry();
  await (await test.runtime.runService(createMonitoringMetrics(registry))).ready();
  return async () => (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

let events = 0;
/** Fields that are left out have their defaults. */
const said = (output: { topic: string; type: string; data: object }): IdentifiedOutput =>
  ({ ...output, key: 'diamonds', id: `event-${events++}` }) as IdentifiedOutput;

function reward(truth: number | null, value: number): IdentifiedOutput {
  const data = {
    deployment: 'diamonds',
    deploymentVersion: 3,
    predictionId: `p-${events}`,
    feedbackId: `f-${events}`,
    route: 'forest',
    model: 'prices',
    modelVersion: 2,
    prediction: 10,
    truth,
    error: truth === null ? null : 10 - truth,
    reward: value,
  };
  return said({ topic: 'rewards', type: 'reward-recorded', data });
}

function drift(pValue: number, drifted: boolean): IdentifiedOutput {
  const feature = {
    name: 'carat',
    test: 'ks',
    statistic: 0.3,
    pValue,
    effectSize: 0.3,
    threshold: 0.01,
    drifted,
    psi: 0.2,
  };
  const data = {
    deployment: 'diamonds',
    deploymentVersion: 3,
    windowId: `w-${events}`,
    detector: 'tabular-drift',
    referenceHash: '',
    rows: 100,
    correction: 'bonferroni',
    alpha: 0.01,
    features: [feature],
    drifted,
    sources: [],
  };
  return said({ topic: 'drift', type: 'drift-assessed', data });
}

const alert = { deployment: 'diamonds', kind: 'drift', subject: 'carat', evidenceId: 'w', alertId: 'a' };
const predictor =
  'deployment_name="diamonds",predictor_name="forest",predictor_version="3",model_name="prices",model_version="2"';
const route = 'deployment="diamonds",route="forest",model="prices",model_version="2"';

describe('the series of monitoring', () => {
  it('sum rewards and errors under the names that dashboards of Seldon Core know, and go on after a restart', async () => {
    test = await createTestRuntime();
    let show = await scraped();
    await test.runtime.publish([reward(7, 4), reward(12, 6), reward(null, -5)]);
    const sums = [
      `seldon_api_model_feedback_total{${predictor}} 3`,
      `seldon_api_model_feedback_reward_total{${predictor}} 10`,
      `millrace_negative_reward_total{${route}} 5`,
      `millrace_prediction_errors_total{${route}} 2`,
      `millrace_prediction_squared_error_total{${route}} 13`,
      `millrace_prediction_absolute_error_total{${route}} 5`,
    ];
    await eventually('all are counted', async () => (await show()).length >= sums.length);
    expect(await show()).toEqual(expect.arrayContaining(sums));
    for (const lost of [undefined, 'state'] as const) {
      await test.restart(lost);
      show = await scraped();
      expect((await show()).sort()).toEqual([...sums].sort());
    }
    await test.runtime.publish([reward(10, 1)]);
    await eventually('the counter goes on', async () =>
      (await show()).includes(`seldon_api_model_feedback_total{${predictor}} 4`),
    );
  });

  it('show drift by feature as of the last window, its age, and windows by verdict', async () => {
    test = await createTestRuntime();
    const show = await scraped();
    await test.runtime.publish([drift(0.5, false), drift(0.001, true)]);
    await test.runtime.publish([
      said({
        topic: 'drift',
        type: 'drift-not-assessed',
        data: { deployment: 'diamonds', windowId: 'w', reason: 'too few rows' },
      }),
    ]);
    await eventually('the last verdict is shown', async () =>
      (await show()).includes(
        'millrace_drift_windows_total{deployment="diamonds",detector="",verdict="not-assessed"} 1',
      ),
    );
    const lines = await show();
    expect(lines).toEqual(
      expect.arrayContaining([
        'millrace_drift_windows_total{deployment="diamonds",detector="tabular-drift",verdict="clean"} 1',
        'millrace_drift_windows_total{deployment="diamonds",detector="tabular-drift",verdict="drifted"} 1',
        'millrace_drift_p_value{deployment="diamonds",detector="tabular-drift",feature="carat",test="ks"} 0.001',
        'millrace_drift_effect_size{deployment="diamonds",detector="tabular-drift",feature="carat",test="ks"} 0.3',
        'millrace_drift_psi{deployment="diamonds",detector="tabular-drift",feature="carat"} 0.2',
        'millrace_drift_detected{deployment="diamonds",detector="tabular-drift",feature="carat"} 1',
      ]),
    );
    const assessedAt = lines.find((line) => line.startsWith('millrace_drift_assessed_timestamp_seconds'));
    expect(Math.abs(Number(assessedAt?.split(' ')[1]) - Date.now() / 1_000)).toBeLessThan(60);
  });

  it('show an alert from its raising to its clearing', async () => {
    test = await createTestRuntime();
    const show = await scraped();
    const active = 'millrace_alert_active{deployment="diamonds",kind="drift",subject="carat"} 1';
    await test.runtime.publish([
      said({ topic: 'alerts', type: 'alert-raised', data: { ...alert, message: 'carat drifts' } }),
    ]);
    await eventually('it is shown', async () => (await show()).includes(active));
    await test.runtime.publish([said({ topic: 'alerts', type: 'alert-cleared', data: alert })]);
    await eventually('it is gone', async () => !(await show()).includes(active));
    expect(await show()).toContain('millrace_alerts_total{deployment="diamonds",kind="drift"} 1');
  });

  it('split rows into outliers, inliers, and those that had no score', async () => {
    test = await createTestRuntime();
    const show = await scraped();
    const outliers = [{ predictionId: 'p', score: 9 }];
    const of = {
      deployment: 'diamonds',
      deploymentVersion: 3,
      windowId: 'w',
      detector: 'mahalanobis',
      referenceHash: '',
    };
    const data = { ...of, rows: 100, threshold: 4, outliers, scoredRows: 90 };
    await test.runtime.publish([said({ topic: 'outliers', type: 'outliers-assessed', data })]);
    const rows = (verdict: string, count: number): string =>
      `millrace_outlier_rows_total{deployment="diamonds",detector="mahalanobis",verdict="${verdict}"} ${count}`;
    await eventually('the window is counted', async () => (await show()).length === 3);
    expect(await show()).toEqual([rows('outlier', 1), rows('inlier', 89), rows('unscored', 10)]);
  });

  it('show of an experiment what it has to reach, and whether its rewards lie as planned', async () => {
    test = await createTestRuntime();
    const show = await scraped();
    const look = (assessment: number, ratioPValue: number | null): IdentifiedOutput => {
      const of = { deployment: 'diamonds', deploymentVersion: 3, assessment, routes: [], verdict: 'undecided' };
      const data = { ...of, ...{ difference: 0, differenceLow: 0, differenceHigh: 0, pValue: 0.4, threshold: 0.025 } };
      return said({ topic: 'rewards', type: 'experiment-assessed', data: { ...data, better: null, ratioPValue } });
    };
    const lines = (ratio: readonly string[]): string[] => [
      'millrace_experiment_p_value{deployment="diamonds"} 0.4',
      'millrace_experiment_threshold{deployment="diamonds"} 0.025',
      ...ratio,
    ];
    await test.runtime.publish([look(1, null)]);
    await eventually('no shares are planned', async () => (await show()).length === 2);
    expect(await show()).toEqual(lines([]));
    await test.runtime.publish([look(2, 0.0003)]);
    await eventually('some are', async () => (await show()).length === 3);
    expect(await show()).toEqual(lines(['millrace_experiment_ratio_p_value{deployment="diamonds"} 0.0003']));
  });
});
