/** How a deployment's routes share its traffic, by HTTP and by topic: sticky routes, shadows, weights that change. */
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { EventData } from '../../../schemas/events.ts';
import { chooseRoute, initialWeights, isMirrored, type TrafficSettings } from '../../../schemas/traffic.ts';
import { routeOutcomes } from '../../../topologies/route-outcomes.ts';
import { routeWeights } from '../../../topologies/route-weights.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

type Shadow = EventData['predictions']['shadow-answered'];
type Completed = EventData['predictions']['prediction-completed'];

let fixture: ServerFixture;
const metrics = new Registry();
const hashes: Record<string, string> = {};
beforeAll(async () => {
  fixture = await openServer(new LinearRuntime(), { metrics });
  const { runtime } = fixture.test;
  await Promise.all([runtime.runTopology(routeOutcomes), runtime.runTopology(routeWeights)]);
  const files = {
    one: { bias: 1 },
    two: { bias: 2 },
    cursed: { bias: 1, failOn: 7 },
    /** Longer than a test may take: an answer that waited for it would never come. */
    slow: { bias: 1, delayMs: 600_000 },
    other: { bias: 1, weights: [1] },
  };
  for (const [name, file] of Object.entries(files)) {
    const bytes = Buffer.from(JSON.stringify({ weights: [1, 10], ...file }));
    hashes[name] = (await runtime.parts.blobs.put(bytes)).hash;
  }
});
afterAll(() => fixture.close());

interface RouteOf {
  readonly weight?: number;
  readonly shadow?: { readonly percent: number; readonly timeoutMs: number };
}

function documentOf(name: string, routes: Record<string, RouteOf>, traffic?: TrafficSettings): DeploymentDocument {
  return {
    name,
    routes: Object.entries(routes).map(([route, { weight = 1, shadow }]) => ({
      name: route,
      model: route,
      modelVersion: 1,
      artifactHash: hashes[route]!,
      weight: shadow === undefined ? weight : 0,
      ...(shadow === undefined ? {} : { shadow }),
    })),
    features: [],
    feedback: { windowMs: 1_000, reward: 'equal' },
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
    ...(traffic === undefined ? {} : { traffic }),
  };
}

async function ask(
  deployment: string,
  entity: string,
  route?: string,
  row: readonly number[] = [1, 2],
): Promise<Completed> {
  const outcome = await fixture.server.infer({ deployment, inputs: [tensor(row)], entity, route });
  if (outcome.type !== 'completed') throw new Error(`${outcome.type}: ${JSON.stringify(outcome)}`);
  return outcome.data;
}

const shadowsOf = async (deployment: string): Promise<readonly Shadow[]> =>
  (await fixture.outcomes()).flatMap(({ type, data }) =>
    type === 'shadow-answered' && data.deployment === deployment ? [data] : [],
  );

describe('sticky routes', () => {
  it('keep an entity on its route, by HTTP and by topic alike', async () => {
    const document = documentOf('sticky', { one: {}, two: {} }, { by: 'entity' });
    await fixture.apply(document);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => ask('sticky', `e${i % 6}`)));
    for (let entity = 0; entity < 6; entity++) {
      const routes = new Set(answers.filter((answer) => answer.entity === `e${entity}`).map(({ route }) => route));
      expect([...routes]).toHaveLength(1);
    }
    expect(new Set(answers.map(({ route }) => route)).size).toBe(2);
    const value = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP64', shape: [1, 2], data: [1, 2] }] });
    for (let i = 0; i < 6; i++) await fixture.request({ key: `e${i}`, value, deployment: 'sticky' });
    const streamed = await eventually('answers by topic', async () => {
      const found = (await fixture.outcomes()).flatMap(({ type, data }) =>
        type === 'prediction-completed' && data.deployment === 'sticky' && data.source !== null ? [data] : [],
      );
      return found.length === 6 ? found : undefined;
    });
    for (const { entity, route, routedBy, predictionId } of streamed) {
      expect({ entity, route }).toEqual({ entity, route: answers.find((answer) => answer.entity === entity)!.route });
      const request = { deployment: 'sticky', entity, predictionId };
      expect(chooseRoute(request, initialWeights(document), 'entity')).toEqual({ route, by: routedBy });
    }
  });

  it('take the route that the request names, as an answer said it, while it has traffic', async () => {
    await fixture.apply(documentOf('pinned', { one: { weight: 99 }, two: { weight: 1 } }));
    const pinned = await Promise.all(Array.from({ length: 20 }, (_, i) => ask('pinned', `e${i}`, ':two:')));
    expect(new Set(pinned.map(({ route, routedBy }) => `${route} by ${routedBy}`))).toEqual(new Set(['two by header']));
    const value = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP64', shape: [1, 2], data: [1, 2] }] });
    await fixture.request({ key: 'streamed', value, deployment: 'pinned', headers: { 'x-seldon-route': ':two:' } });
    await eventually('the answer by topic', async () =>
      (await fixture.outcomes()).some(({ key, data }) => key === 'streamed' && 'route' in data && data.route === 'two'),
    );
    await fixture.apply(documentOf('pinned', { one: { weight: 1 }, two: { weight: 0 } }));
    await eventually('version 2', async () => (await ask('pinned', 'e', 'two')).deploymentVersion === 2);
    expect(await ask('pinned', 'e', 'two')).toMatchObject({ route: 'one', routedBy: 'prediction-id' });
  });
});

describe('a shadow', () => {
  const all = { percent: 100, timeoutMs: 5_000 };

  it('gets copies, is compared, and answers nobody', async () => {
    await fixture.apply(
      documentOf('mirror', { one: {}, two: { shadow: all }, other: { shadow: { percent: 30, timeoutMs: 5_000 } } }),
    );
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask('mirror', `e${i}`)));
    expect(answers.map(({ route }) => route)).toEqual(Array.from({ length: 40 }, () => 'one'));
    const some = answers.filter(({ predictionId }) => isMirrored(predictionId, 'other', 30)).length;
    expect(some).toBeGreaterThan(0);
    const found = await eventually('answers of both shadows', async () => {
      const shadows = await shadowsOf('mirror');
      return shadows.length === 40 + some ? shadows : undefined;
    });
    const first = found.find(({ shadow }) => shadow === 'two')!;
    expect(first).toMatchObject({
      route: 'one',
      model: 'two',
      outcome: 'differed',
      outputs: [{ data: { 'millrace.common.Doubles': { values: [23] } } }],
      differences: [{ tensor: 'y', elements: 1, differing: 1, maxAbsolute: 1, problem: '' }],
    });
    const rest = found.filter(({ shadow }) => shadow === 'other');
    expect(rest).toHaveLength(some);
    expect(rest[0]).toMatchObject({ outcome: 'failed', code: 'INVALID_ARGUMENT' });
  });

  it('that fails or is slow hurts no answer', async () => {
    await fixture.apply(
      documentOf('hurt', { one: {}, cursed: { shadow: all }, slow: { shadow: { percent: 100, timeoutMs: 30 } } }),
    );
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => ask('hurt', `e${i}`, undefined, [7, i])));
    expect(answers).toHaveLength(10);
    const found = await eventually('what became of the shadows', async () => {
      const shadows = await shadowsOf('hurt');
      return shadows.length === 20 ? shadows : undefined;
    });
    expect(new Set(found.map(({ shadow, outcome, code }) => `${shadow} ${outcome} ${code}`))).toEqual(
      new Set(['cursed failed USER_CODE_FAILED', 'slow timeout TIMEOUT']),
    );
    expect(await metrics.metrics()).toContain(
      'millrace_shadow_answers_total{deployment="hurt",shadow="slow",outcome="timeout"} 10',
    );
  });
});

describe('weights that change', () => {
  const step = { minRequests: 5, durationMs: 0 };
  const traffic: TrafficSettings = {
    by: 'prediction-id',
    rollout: {
      stable: 'one',
      canary: 'cursed',
      steps: [
        { percent: 40, ...step },
        { percent: 80, ...step },
      ],
      criteria: { errorRate: 0 },
      promotion: 'automatic',
    },
  };
  const until = async (what: string, phase: string, row: readonly number[]): Promise<void> => {
    const table = await fixture.test.runtime.openTable('routers');
    await eventually(what, async () => {
      await Promise.all(
        Array.from({ length: 10 }, () => fixture.server.infer({ deployment: 'canary', inputs: [tensor(row)] })),
      );
      await table.refresh();
      return table.get('canary')?.rollout?.phase === phase;
    });
    await table.close();
  };

  it('move a canary to all of the traffic while it is well', async () => {
    await fixture.apply(documentOf('canary', { one: {}, cursed: { weight: 0 } }, traffic));
    await until('the canary has all', 'promoted', [1, 2]);
    await eventually('all answers by the canary', async () => (await ask('canary', 'e')).weightsVersion === 3);
    expect(await ask('canary', 'e')).toMatchObject({ route: 'cursed', weightsVersion: 3 });
  });

  it('take it back when it fails, and stay so after a restart', async () => {
    await fixture.apply(documentOf('canary', { one: {}, cursed: { weight: 0 } }, traffic));
    await until('it is taken back', 'rolled-back', [7, 2]);
    const answer = await eventually('all answers by the stable route', async () => {
      const found = await ask('canary', 'e', undefined, [7, 2]).catch(() => undefined);
      return found?.weightsVersion === 5 ? found : undefined;
    });
    expect(answer).toMatchObject({ route: 'one', deploymentVersion: 2 });
    const again = await openServerOn(fixture);
    expect(await again('canary', [7, 2])).toMatchObject({ route: 'one', weightsVersion: 5 });
  });
});

/** Another replica on the same log: it knows the weights from the table alone. */
async function openServerOn({
  test,
}: ServerFixture): Promise<(deployment: string, row: readonly number[]) => Promise<Completed>> {
  const { createModelServer } = await import('../../../services/model-server/model-server.ts');
  const server = await createModelServer({ runtime: test.runtime, models: new LinearRuntime() });
  return async (deployment, row) => {
    const outcome = await server.infer({ deployment, inputs: [tensor(row)] });
    await server.close();
    if (outcome.type !== 'completed') throw new Error(outcome.type);
    return outcome.data;
  };
}
