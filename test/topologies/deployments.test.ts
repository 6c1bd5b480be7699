import { describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { deployments } from '../../topologies/deployments.ts';

const route = (name: string, weight: number) => ({
  name,
  model: 'diamonds',
  modelVersion: 1,
  artifactHash: 'a'.repeat(64),
  weight,
});

const document: DeploymentDocument = {
  name: 'diamonds',
  routes: [route('linear', 50), route('forest', 50)],
  features: [{ name: 'carat', kind: 'numeric' }],
  feedback: { windowMs: 1_000, reward: 'negative-squared-error' },
  monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
};

async function start() {
  const driver = await createTopologyDriver(deployments);
  return {
    driver,
    deploy(requestId: string, changes: object = {}, deployment = 'diamonds') {
      const text = JSON.stringify({ ...document, ...changes });
      const data = { deployment, requestId, document: text, actor: 'ada' };
      driver.pipe({ type: 'deploy-requested', data, key: deployment });
      return driver.takeOutputs();
    },
    remove(requestId: string) {
      driver.pipe({
        type: 'removal-requested',
        data: { deployment: 'diamonds', requestId, actor: 'ada' },
        key: 'diamonds',
      });
      return driver.takeOutputs();
    },
  };
}

describe('deployments', () => {
  it('gives each accepted document the next version, with its row', async () => {
    const { driver, deploy } = await start();
    deploy('r1');
    const outputs = deploy('r2');
    expect(outputs).toMatchObject([
      { topic: 'deployments', key: 'diamonds', data: { version: 2, appliedAt: driver.nowMs, actor: 'ada' } },
      { type: 'deployment-applied', data: { version: 2, requestId: 'r2' } },
      { topic: 'route-evidence', type: 'traffic-configured', data: { deploymentVersion: 2 } },
      { topic: 'drift', type: 'detectors-configured', data: { deploymentVersion: 2, detectors: [] } },
      { topic: 'quality', type: 'bounds-configured', data: { deploymentVersion: 2, bounds: [] } },
    ]);
    expect(JSON.parse((outputs[0]?.data as { document: string }).document)).toEqual(document);
    const detectors = [{ name: 'watch', method: 'page-hinkley' }];
    const alerts = [{ name: 'near', metric: 'rmse', most: 2 }];
    expect(deploy('r3', { monitors: { ...document.monitors, detectors, alerts } }).slice(-2)).toMatchObject([
      { type: 'detectors-configured', data: { deploymentVersion: 3, detectors: ['watch'] } },
      { type: 'bounds-configured', data: { deploymentVersion: 3, bounds: ['near'] } },
    ]);
  });

  it('says why a move of an alias is not followed', async () => {
    const { driver, deploy } = await start();
    const routes = document.routes.map((one) => ({ ...one, alias: 'champion' }));
    deploy('r1', { routes, follow: true });
    const moved = { deployment: 'diamonds', model: 'diamonds', alias: 'champion', modelVersion: 2, artifactHash: 'no' };
    const data = { ...moved, attached: {}, requestId: 'alias-1', actor: 'ada' };
    driver.pipe({ type: 'alias-moved', data, key: 'diamonds' });
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'deployment-refused', data: { reason: expect.stringContaining('champion is not followed') as string } },
    ]);
    driver.pipe({ type: 'alias-moved', data, key: 'diamonds' });
    expect(driver.takeOutputs()).toEqual([]);
  });

  it('says nothing when a request comes again', async () => {
    const { driver, deploy } = await start();
    deploy('r1');
    expect(deploy('r1')).toEqual([]);
    expect(driver.counters()).toMatchObject({ accepted: 1, repeated: 1 });
  });

  it('remembers requests for a week, those that lie together by one timer', async () => {
    const { driver, deploy } = await start();
    for (let n = 0; n < 10; n++) deploy(`r${n}`);
    expect([driver.stateKeys('request/').length, driver.timerCount()]).toEqual([10, 1]);
    driver.advance(6 * 86_400_000);
    expect(deploy('r9')).toEqual([]);
    driver.advance(86_400_000 + 3_600_000);
    expect(driver.stateKeys()).toEqual(['deployment/diamonds']);
    expect(driver.timerCount()).toBe(0);
    expect(deploy('r10').find(({ type }) => type === 'deployment-applied')).toMatchObject({ data: { version: 11 } });
  });

  it('forgets the row on removal and goes on numbering afterwards', async () => {
    const { deploy, remove } = await start();
    deploy('r1');
    expect(remove('r2')).toMatchObject([
      { topic: 'deployments', type: 'tombstone', key: 'diamonds' },
      { type: 'deployment-removed', data: { version: 1 } },
      { topic: 'route-evidence', type: 'traffic-configured', data: { deploymentVersion: 1, settings: '' } },
      { topic: 'drift', type: 'detectors-configured', data: { deploymentVersion: 1, detectors: [] } },
      { topic: 'quality', type: 'bounds-configured', data: { deploymentVersion: 1, bounds: [] } },
    ]);
    expect(remove('r3')).toMatchObject([
      { type: 'deployment-refused', data: { reason: "there is no deployment 'diamonds'" } },
    ]);
    expect(deploy('r4').find(({ type }) => type === 'deployment-applied')).toMatchObject({
      type: 'deployment-applied',
      data: { version: 2 },
    });
  });

  it.each([
    ['no routes', { routes: [] }, 'routes must not have fewer than 1 items'],
    ['only zero weights', { routes: [route('linear', 0)] }, 'positive sum of weights'],
    ['a negative weight', { routes: [route('linear', -1), route('b', 5)] }, 'routes.0.weight must be >= 0, got -1'],
    ['a route twice', { routes: [route('a', 1), route('a', 1)] }, "routes.1.name 'a' is used twice"],
    ['a hash that is none', { routes: [{ ...route('a', 1), artifactHash: '../x' }] }, 'routes.0.artifactHash'],
    ['an unknown property', { router: 1 }, 'router is not a known property'],
    ['a window that cannot close', { monitors: { window: { rows: 0, minRows: 1, maxAgeMs: 1 } } }, 'window.rows'],
    [
      'drift without reference',
      {
        monitors: {
          ...document.monitors,
          drift: { alpha: 0.05, correction: 'bonferroni', minEffectSize: 0, raiseAfter: 1, clearAfter: 1 },
        },
      },
      'monitors.drift needs monitors.referenceHash',
    ],
    ['another name inside', { name: 'wine' }, "document.name must be 'diamonds', got 'wine'"],
  ])('refuses %s and says why', async (_, changes, reason) => {
    const { deploy } = await start();
    const outputs = deploy('r1', changes);
    expect(outputs).toMatchObject([{ type: 'deployment-refused', data: { requestId: 'r1' } }]);
    expect((outputs[0]?.data as { reason: string }).reason).toContain(reason);
  });

  it('names all problems at once', async () => {
    const { deploy } = await start();
    const outputs = deploy('r1', { routes: [route('A', -1)], features: [{ name: 'x', kind: 'vague' }] });
    const { reason } = outputs[0]?.data as { reason: string };
    expect(reason).toContain('routes.0.name');
    expect(reason).toContain('routes.0.weight');
    expect(reason).toContain('features.0.kind must be one of numeric, categorical');
  });

  it('refuses text that is no JSON', async () => {
    const { driver } = await start();
    const data = { deployment: 'diamonds', requestId: 'r1', document: '{', actor: 'ada' };
    driver.pipe({ type: 'deploy-requested', data, key: 'diamonds' });
    expect(driver.takeOutputs()).toMatchObject([{ data: { reason: 'document must be JSON, got "{"' } }]);
  });
});
