/** Bandits, shadows and rollouts from the outside: deployed by the client, fed over HTTP, explained by the CLI. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import { type Client, connect, type Prediction } from '../../sdk/client/index.ts';
import { deployment } from '../../sdk/deployment/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
let directory: string;
let platform: Platform;
let client: Client;
const topologies = ['deployments', 'registry', 'feedback-rewards', 'route-outcomes', 'route-weights'];
const services = ['provenance', 'feedback-admission', 'model-server', 'gateway'];

const start = async (): Promise<void> => {
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ flags, environment: {} }),
    only: [...topologies, ...services],
  });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada' });
};
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-routes-'));
  await start();
  const { runtime } = platform;
  for (const name of ['iris-logreg', 'iris-svc']) {
    const file = await readFile(new URL(`../models/${name}.onnx`, import.meta.url));
    const { hash, sizeBytes } = await runtime.parts.blobs.put(file);
    const origin = { runId: null, taskId: null, flow: null, alias: null };
    const artifact = { name, hash, sizeBytes, codec: 'onnx' };
    const data = {
      model: 'iris',
      requestId: name,
      ...origin,
      artifact,
      metrics: {},
      tags: {},
      description: '',
      actor: 'ada',
    };
    await runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: 'iris', id: name }]);
  }
  await eventually('both versions', async () => (await client.models.list())[0]?.versions === 2);
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

async function millrace(...words: readonly string[]): Promise<string> {
  const program = ['--import', 'tsx', join(root, 'cli/main.ts'), ...words];
  const { stdout } = await run(process.execPath, [...program, '--url', platform.url!], { cwd: root });
  return stdout;
}

const predict = (name: string, count: number, route?: string): Promise<readonly Prediction[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      client.predict(name, { rows: [[5.1, 3.5, 1.4, 0.2]] }, { entity: `flower-${i}`, route }),
    ),
  );

it('learns from rewards over HTTP, and the CLI explains why a prediction took its route, with what was learnt', async () => {
  await client.deploy(
    deployment('learning')
      .route('linear', 'models:/iris/1')
      .route('svc', 'models:/iris/2')
      .shadow('mirror', 'models:/iris/1')
      .feedback({ reward: 'equal' })
      .bandit({ updateEvery: 20 }),
  );
  for (const { predictionId, route } of await predict('learning', 40))
    await client.feedback({ predictionId, reward: route === 'svc' ? 1 : 0 });
  const learnt = await eventually('weights after 40 rewards', async () => {
    const shown = await client.routing.show('learning');
    return shown.weightsVersion === 2 ? shown : undefined;
  });
  const shareOf = (name: string): number => learnt.weights.find(({ route }) => route === name)!.weight;
  expect(shareOf('svc')).toBeGreaterThan(0.9);
  expect(shareOf('mirror')).toBe(0);
  const [prediction] = await predict('learning', 1);
  const text = await millrace('routes', 'explain', prediction!.predictionId);
  expect(text).toContain(`took route ${prediction!.route}, by its prediction-id`);
  expect(text).toMatch(/weights version 2 \(bandit, .*deployment-events\/\d@\d+\): linear \d/);
  expect(text).toContain('ok: weights computed again from their evidence');
  expect(text).toContain('ok: route computed again from the prediction-id and the weights');
  expect(text).toMatch(/shadow mirror: (agreed|differed)/);
  expect(await client.explain(prediction!.predictionId)).toMatchObject({ verified: true });
  const mirrored = await eventually('every mirrored answer', async () => {
    const { shadows } = await client.routing.show('learning');
    return shadows.reduce((sum, { answers }) => sum + answers, 0) === 41 ? shadows : undefined;
  });
  expect(new Set(mirrored.map(({ shadow }) => shadow))).toEqual(new Set(['mirror']));
}, 120_000);

it('gives the route in the header that Seldon has for it, and takes it back', async () => {
  const body = JSON.stringify({ inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] }] });
  const ask = async (headers: Record<string, string> = {}) => {
    const answer = await fetch(`${platform.url!}/v2/models/learning/infer`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return answer.headers.get('x-seldon-route');
  };
  expect(await ask()).toMatch(/^:(linear|svc):$/);
  expect(await ask({ 'x-seldon-route': ':linear:' })).toBe(':linear:');
  expect(await ask({ 'millrace-route': 'linear' })).toBe(':linear:');
});

it('goes through a rollout by hand, over a restart of the platform; says what was in force at any time', async () => {
  const steps = [{ percent: 30, minRequests: 1_000, durationMs: 0 }];
  await client.deploy(
    deployment('rolling')
      .route('old', 'models:/iris/1')
      .route('new', 'models:/iris/2', { weight: 0 })
      .rollout({ stable: 'old', canary: 'new', steps }),
  );
  expect(
    await eventually('its beginning', () => client.routing.rollout('rolling').catch(() => undefined)),
  ).toMatchObject({
    phase: 'running',
    percent: 30,
  });
  await eventually('the canary', async () => (await predict('rolling', 10)).some(({ route }) => route === 'new'));
  await platform.close();
  await start();
  const status = await millrace('deployments', 'rollout', 'status', 'rolling');
  expect(status).toContain('rollout of rolling from old to new: running, step 1 of 1, 30 % on new');
  const again = { idempotencyKey: 'once' };
  const paused = await client.routing.move('rolling', 'pause', { ...again, reason: 'lunch' });
  expect(paused).toMatchObject({ phase: 'paused', reason: 'lunch' });
  expect(await client.routing.move('rolling', 'pause', again)).toEqual(paused);
  await expect(client.routing.move('rolling', 'pause')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: "the rollout of 'rolling' is paused: pause changes nothing",
  });
  expect(await client.routing.move('rolling', 'promote')).toMatchObject({ phase: 'promoted', percent: 100 });
  const promoted = await eventually('all traffic on it', async () => {
    const found = await predict('rolling', 10);
    return found.every(({ route }) => route === 'new') ? found : undefined;
  });
  expect(await client.routing.explain(promoted[0]!.predictionId)).toMatchObject({
    route: 'new',
    cause: 'rollout',
    reason: 'promote by ada',
    verified: true,
  });
  const at = new Date().toISOString();
  expect(await client.routing.move('rolling', 'rollback')).toMatchObject({ phase: 'rolled-back', percent: 0 });
  expect(await millrace('deployments', 'history', 'rolling')).toMatch(
    /1 +\S+Z +ada +old=iris v1 \(1\), new=iris v2 \(0\) +old 100\.0 %, new 0\.0 % +rollback by ada/,
  );
  await client.deployments.remove('rolling');
  expect(await millrace('deployments', 'history', 'rolling', '--at', at)).toMatch(
    /1 +\S+Z +ada +old=iris v1 \(1\), new=iris v2 \(0\) +old 0\.0 %, new 100\.0 %/,
  );
  expect(await client.deployments.history('rolling', { at: new Date() })).toEqual([]);
  expect(await client.deployments.history('rolling', { at: '2001-01-01' })).toEqual([]);
  await expect(client.deployments.history('rolling', { at: 'noon' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
}, 120_000);
