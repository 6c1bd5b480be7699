import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Running, Table } from '../../../runtime/engine/runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { type DeploymentDocument, modelsOfRoute } from '../../../schemas/deployment-document.ts';
import { deployment, graph, resolveDocument } from '../../../sdk/deployment/index.ts';
import { startAliasFollower } from '../../../services/alias-follower/alias-follower.ts';
import { deployments } from '../../../topologies/deployments.ts';
import { registry } from '../../../topologies/registry.ts';

let test: TestRuntime;
let follower: Running;
let models: Table<'models'>;
let rows: Table<'deployments'>;
let requests = 0;
beforeAll(async () => {
  test = await createTestRuntime();
  const { runtime } = test;
  await Promise.all([runtime.runTopology(registry), runtime.runTopology(deployments)]);
  models = await runtime.openTable('models');
  rows = await runtime.openTable('deployments');
  follower = await startAliasFollower(runtime);
  for (let version = 1; version <= 3; version++) await register(version);
  await point(1);
});
afterAll(async () => {
  await follower.close();
  await test.close();
});

async function register(version: number): Promise<void> {
  const origin = { runId: null, taskId: null, flow: null, alias: null, description: '' };
  const artifact = { name: 'm', hash: String(version).repeat(64), sizeBytes: 1, codec: 'onnx' };
  // The third one has nothing attached.
  const tags: Record<string, string> =
    version === 3 ? {} : { 'millrace.attached.sample': `${version}`.repeat(63) + 'a' };
  const data = { model: 'iris', requestId: `v${version}`, ...origin, artifact, metrics: {}, tags, actor: 'ada' };
  await test.runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: 'iris', id: `v${version}` }]);
  await eventually(`version ${version}`, async () => {
    await models.refresh();
    return models.get(`iris/${version}`) !== undefined;
  });
}

/** Lets the alias name a version. */
async function point(version: number): Promise<void> {
  requests += 1;
  const requestId = `alias-${requests}`;
  const data = { model: 'iris', requestId, alias: 'champion', version, actor: 'ada' };
  await test.runtime.publish([{ topic: 'registry', type: 'alias-requested', data, key: 'iris', id: requestId }]);
  await eventually('the alias', async () => {
    await models.refresh();
    return models.get(`iris/${version}`)?.aliases.includes('champion') === true;
  });
}

async function deploy(spec: ReturnType<typeof deployment>): Promise<void> {
  const { document, problems } = resolveDocument(spec.spec(), models);
  if (document === undefined) throw new Error(problems?.join());
  requests += 1;
  const requestId = `deploy-${requests}`;
  const data = { deployment: document.name, requestId, document: JSON.stringify(document), actor: 'ada' };
  const before = rows.get(document.name)?.version ?? 0;
  await test.runtime.publish([
    { topic: 'deployment-events', type: 'deploy-requested', data, key: document.name, id: requestId },
  ]);
  await served(document.name, before + 1);
}

/** Model versions of the deployment at its version. */
async function served(name: string, version: number): Promise<readonly number[]> {
  const row = await eventually(`version ${version} of ${name}`, async () => {
    await rows.refresh();
    const found = rows.get(name);
    return found?.version === version ? found : undefined;
  });
  return (JSON.parse(row.document) as DeploymentDocument).routes
    .flatMap(modelsOfRoute)
    .map(({ model }) => model.modelVersion);
}

it('gives a deployment that follows an alias a new version when the alias moves; others stay as they are', async () => {
  const both = deployment('following')
    .route('main', 'models:/iris@champion')
    .route('pinned', 'models:/iris/1')
    .route('graph', graph().model('inner', 'models:/iris@champion'));
  await deploy(both.follow());
  await deploy(deployment('still').route('main', 'models:/iris@champion'));
  await point(2);
  expect(await served('following', 2)).toEqual([2, 1, 2]);
  await point(3);
  expect(await served('following', 3)).toEqual([3, 1, 3]);
  expect(rows.get('following')?.actor).toBe('ada');
  expect(await served('still', 1)).toEqual([1]);
});

it('hears of what moved while it was away, once', async () => {
  await follower.close();
  await point(1);
  follower = await startAliasFollower(test.runtime);
  expect(await served('following', 4)).toEqual([1, 1, 1]);
  await point(1);
  await point(2);
  expect(await served('following', 5), 'the alias that was set to where it was made no version').toEqual([2, 1, 2]);
});

it('passes over a version that is gone, and hears of the next one', async () => {
  await follower.close();
  await register(4);
  await point(4);
  const asked = { requestId: 'delete-4', edit: 'delete', version: 4, key: '', value: '', tags: {}, archive: false };
  const data = { model: 'iris', ...asked, actor: 'ada' };
  await test.runtime.publish([{ topic: 'registry', type: 'edit-requested', data, key: 'iris', id: 'delete-4' }]);
  await eventually('the deletion', async () => {
    await models.refresh();
    return models.get('iris/4') === undefined;
  });
  await point(1);
  // Every row that is there is here by now.
  follower = await startAliasFollower(test.runtime, 0);
  expect(await served('following', 6)).toEqual([1, 1, 1]);
  await follower.close();
  follower = await startAliasFollower(test.runtime);
});

it('lets what is attached to a model version move with the alias; what the new version lacks stays', async () => {
  await point(1);
  const reference = 'models:/iris@champion#sample';
  const watched = deployment('watched').route('main', 'models:/iris/1').monitors({ reference, drift: {} }).follow();
  await deploy(watched);
  const hashOf = async (version: number): Promise<string | undefined> => {
    await served('watched', version);
    return (JSON.parse(rows.get('watched')?.document ?? '{}') as DeploymentDocument).monitors.referenceHash;
  };
  expect(await hashOf(1)).toBe(`${'1'.repeat(63)}a`);
  await point(2);
  expect(await hashOf(2)).toBe(`${'2'.repeat(63)}a`);
  await point(3);
  await point(1);
  expect(await hashOf(3), 'of the move to version 3 nothing came').toBe(`${'1'.repeat(63)}a`);
  const lacking = deployment('lacking')
    .route('main', 'models:/iris/1')
    .monitors({ reference: 'models:/iris/3#sample' });
  expect(resolveDocument(lacking.spec(), models).problems).toEqual([
    "monitors.reference: version 3 of 'iris' has no 'sample' attached, but nothing",
  ]);
});

it('tells a rollout that it does not get the alias it asked for, and why', async () => {
  const told: unknown[] = [];
  const evidence = await test.runtime.follow('route-evidence', {
    from: 'earliest',
    onEvent: ({ type, data }) => void (type === 'promotion-refused' && told.push(data)),
  });
  const requestId = 'promote/following/3/2';
  const data = { model: 'iris', requestId, alias: 'champion', version: 99, actor: 'rollout of following' };
  await test.runtime.publish([{ topic: 'registry', type: 'alias-requested', data, key: 'iris', id: 'asked-1' }]);
  const [refused] = await eventually('the refusal', () => (told.length > 0 ? told : undefined));
  expect(refused).toMatchObject({
    deployment: 'following',
    deploymentVersion: 3,
    requestId,
    reason: expect.stringContaining('99'),
  });
  // Refused again, as by a second person.
  const again = { model: 'iris', requestId, reason: 'rejected by bob', actor: 'ada', code: 'FORBIDDEN' };
  await test.runtime.publish([
    { topic: 'registry', type: 'registry-refused', data: again, key: 'iris', id: 'again-1' },
  ]);
  await eventually('the second refusal', () => told.length > 1);
  expect(told[1]).toMatchObject({ requestId, reason: 'rejected by bob' });
  await evidence.close();
});
