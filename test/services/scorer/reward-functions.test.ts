/** Reward functions in TypeScript from the deployment's file to quality in the terminal, and what becomes of those that misbehave. */
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleDeployment } from '../../../runtime/adapters/bundler/bundle-code.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { FeedbackReceived, RewardFailed, RewardRecorded } from '../../../schemas/events.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { createMonitoringMetrics } from '../../../services/monitoring-metrics/monitoring-metrics.ts';
import { qualityRoutes } from '../../../services/monitoring-metrics/quality-routes.ts';
import { createRewardScorer, type RewardScorer } from '../../../services/scorer/reward-scorer.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { feedbackRewards } from '../../../topologies/feedback-rewards.ts';
import { quality } from '../../../topologies/quality.ts';
import type { Provenance } from '../../../services/provenance/index.ts';
import { openProvenance } from '../provenance/open-provenance.ts';
import { millrace } from '../../cli/cli-driver.ts';
import { completed, feedback, idOf, tensor, terms } from '../../topologies/prediction-events.ts';

let test: TestRuntime;
let scorer: RewardScorer;
let gateway: Gateway;
let provenance: Provenance;
let url: string;
let rewardFunction: string;
const metrics = new Registry();
const recorded: RewardRecorded[] = [];
const failures: RewardFailed[] = [];
const order: string[] = [];

beforeAll(async () => {
  test = await createTestRuntime({ partitions: { predictions: 1, rewards: 1 } });
  const { runtime } = test;
  const file = new URL('./reward-functions.ts', import.meta.url).pathname;
  const { hash } = await runtime.parts.blobs.put(await bundleDeployment(file));
  rewardFunction = JSON.stringify({ code: { hash, function: '(reward)' }, timeoutMs: 10_000, memoryMb: 32 });
  scorer = createRewardScorer(runtime);
  await runtime.runService(scorer.service);
  await runtime.runService(createMonitoringMetrics(metrics));
  await runtime.runTopology(feedbackRewards);
  await runtime.runTopology(quality);
  await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'reward-recorded') recorded.push(data);
      if (type === 'reward-failed') failures.push(data);
    },
  });
  await runtime.follow('route-evidence', { from: 'earliest', onEvent: ({ data }) => order.push(JSON.stringify(data)) });
  provenance = await openProvenance(test);
  gateway = await createGateway({
    runtime,
    queries: {} as never,
    extensions: [
      qualityRoutes({
        findQuality: (search) => provenance.queries.findQuality(search),
        rewardFailures: (deployment) => provenance.queries.rewardFailures(deployment),
      }),
    ],
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    actor: 'os-user',
  });
  ({ url } = await gateway.listen());
});
afterAll(async () => {
  await gateway.close();
  await provenance.close();
  await test.close();
  await scorer.close();
});

let serial = 0;
/** A prediction and its truth. */
async function judge(prediction: number, truth: number, route = 'gentle', how = rewardFunction): Promise<void> {
  serial += 1;
  const own = { ...terms, rewardFunction: how, qualityRows: 200, qualityMaxAgeMs: 60_000, steered: true };
  const outputs = [tensor('y', [1, 1], [prediction])];
  const data = completed(serial, { deployment: 'wine', route, outputs, terms: own });
  const key = `entity-${serial}`;
  await test.runtime.publish([
    { topic: 'predictions', type: 'prediction-completed', key, partition: 0, id: `p${serial}`, data },
    {
      ...{ topic: 'predictions', type: 'feedback-received', key, partition: 0, id: `f${serial}` },
      data: feedback(serial, `f${serial}`, { truth }),
    },
  ]);
}

describe('a reward function', () => {
  it('makes the reward, for quality and for the weights of routes', async () => {
    await judge(5, 7);
    await eventually('it is made', () => recorded.length === 1);
    expect(recorded[0]).toMatchObject({ predictionId: idOf(1), reward: 0.25, rule: 'function', error: -2 });
    await eventually('the weights hear of it', () => order.length === 1);
    expect(order[0]).toContain('"reward":0.25');
  });

  it('is run once a row of a prediction of several, and fails for a row alone', async () => {
    const rewardsBefore = recorded.length;
    const own = { ...terms, rewardFunction, steered: true };
    const outputs = [tensor('y', [3, 1], [5, 6, 7])];
    const say = (data: FeedbackReceived) =>
      ({
        topic: 'predictions',
        type: 'feedback-received',
        key: 'k',
        partition: 0,
        id: `rows-${data.row}`,
        data,
      }) as const;
    await test.runtime.publish([
      {
        ...{ topic: 'predictions', type: 'prediction-completed', key: 'k', partition: 0, id: 'rows' },
        data: completed(500, { deployment: 'rows', rows: 3, outputs, terms: own }),
      },
      ...[7, -1, 8].map((truth, row) => say(feedback(500, 'rows', { truth, row, rows: 3 }))),
    ]);
    await eventually('each has an outcome', () => recorded.length === rewardsBefore + 3 && failures.length === 1);
    expect(recorded.slice(rewardsBefore).map(({ row, reward }) => [row, reward])).toEqual([
      [0, 0.25],
      [1, null],
      [2, 1],
    ]);
    expect(failures.splice(0)).toMatchObject([{ deployment: 'rows', row: 1, code: 'USER_CODE_FAILED' }]);
    await eventually('the weights hear of both', () => order.length === 3);
    expect(order.slice(1).map((said) => (JSON.parse(said) as { row: number }).row)).toEqual([0, 2]);
  });

  it('that throws, hangs, takes too much memory or answers no number is a failure of that reward alone, counted, and said why', async () => {
    const before = recorded.length;
    const hasty = rewardFunction.replace('"timeoutMs":10000', '"timeoutMs":150');
    for (const truth of [-3, -1]) await judge(5, truth);
    await judge(5, -2, 'gentle', hasty);
    for (const truth of [5, 6]) await judge(5, truth);
    await eventually('each has an outcome', () => recorded.length === before + 5, 20_000);
    const outcomes = recorded.slice(before).map(({ truth, reward }) => [truth, reward]);
    expect(outcomes).toEqual([
      [-3, null],
      [-1, null],
      [-2, null],
      [5, null],
      [6, 1],
    ]);
    expect(failures.map(({ code }) => code)).toEqual(['TOO_LARGE', 'USER_CODE_FAILED', 'TIMEOUT', 'USER_CODE_FAILED']);
    expect(failures[1]?.reason).toContain('threw: no such wine');
    expect(failures[3]?.reason).toMatch(/finite number within .*, got Infinity/);
    await eventually('they are counted', async () =>
      (await metrics.metrics()).includes('millrace_reward_failed_total{deployment="wine",code="TIMEOUT"} 1'),
    );
  });

  it('that misbehaves is shown to whoever asks for the quality: how often, why, and for which prediction', async () => {
    const { out, code } = await millrace(['quality', 'wine', '--url', url]);
    expect(code, out).toBe(0);
    expect(out).toMatch(/1 reward not made, TOO_LARGE: .*32 MiB/);
    expect(out).toMatch(/1 reward not made, TIMEOUT: .*150 ms/);
    expect(out).toMatch(/2 rewards not made, USER_CODE_FAILED: .*finite number within .*, got Infinity/);
    expect(out).toContain(failures.at(-1)?.predictionId);
    expect((await millrace(['quality', 'other', '--url', url])).out).not.toContain('not made');
  });

  it('sees nothing of the environment', async () => {
    process.env['MILLRACE_HTTP_TOKEN'] = '42';
    const before = recorded.length;
    try {
      await judge(5, -4);
      await eventually('it is made', () => recorded.length > before);
    } finally {
      delete process.env['MILLRACE_HTTP_TOKEN'];
    }
    expect(recorded.at(-1)?.reward).toBe(0.25);
  });

  it('whose mean a few lucky hits rule is shown with its median and the errors, and which to trust', async () => {
    const random = seededRandom('wine rewards');
    for (let i = 0; i < 200; i++) {
      const strong = i % 2 === 1;
      // the worse model hits almost exactly now and then
      const error = strong && i % 20 === 1 ? 1e-4 : (strong ? 1.2 : 1) * random.normal();
      await judge(6 + error, 6, strong ? 'strong' : 'gentle');
    }
    let shown = '';
    await eventually('a window is full', async () => {
      shown = (await millrace(['quality', 'wine', '--url', url])).out;
      return shown.includes('rmse');
    });
    expect(shown).toContain('reward mean');
    expect(shown).toMatch(/reward median .* trust this: the mean .* a few rows rule it/);
    expect(shown).toContain('mae');
    const json = JSON.parse(
      (await millrace(['quality', 'wine', '--route', '', '--json', '--url', url])).out,
    ) as object[];
    expect(json).toMatchObject([{ route: '', rows: 200, task: 'regression', reward: { trust: 'median' } }]);
    // The page behind it.
    const { toMs } = json[0] as { toMs: number };
    const before = await millrace(['quality', 'wine', '--route', '', '--until', String(toMs), '--json', '--url', url]);
    expect(JSON.parse(before.out)).toEqual([]);
    const behind = await millrace([
      'quality',
      'wine',
      '--route',
      '',
      '--until',
      String(toMs + 1),
      '--json',
      '--url',
      url,
    ]);
    expect(JSON.parse(behind.out)).toEqual(json);
    await eventually('Prometheus has it', async () =>
      /millrace_quality\{deployment="wine",.*metric="rmse"\} \d/.test(await metrics.metrics()),
    );
  });
});
