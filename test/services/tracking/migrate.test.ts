/** Taking over and giving back, between servers that speak MLflow's API: with a real MLflow server the lane does the same. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate } from '../../../cli/mlflow/migrate.ts';
import { MlflowServer } from '../../../cli/mlflow/mlflow-server.ts';
import type { MlflowLoggedModel } from '../../../schemas/api/mlflow.ts';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixtures: readonly TrackingFixture[];
let servers: readonly MlflowServer[];
let runId: string;
let modelId: string;
beforeAll(async () => {
  fixtures = [await openTracking(), await openTracking(), await openTracking()];
  servers = await Promise.all(fixtures.map(async (fixture) => new MlflowServer({ url: await fixture.url() })));
  const [source] = fixtures as [TrackingFixture];
  const experiment = await source.experiment('orchard');
  runId = await source.run(experiment, { run_name: 'tree' });
  const metrics = Array.from({ length: 30 }, (_, step) => ({
    key: 'loss',
    value: 1 / (step + 1),
    timestamp: step,
    step,
  }));
  await source.post('runs/log-batch', { run_id: runId, metrics, params: [{ key: 'depth', value: '3' }] });
  await source.raw('PUT', `/api/2.0/mlflow-artifacts/artifacts/${experiment}/${runId}/artifacts/model/weights`, 'w');
  const { body } = await source.post('logged-models', {
    ...{ experiment_id: experiment, name: 'forest', source_run_id: runId },
    params: [{ key: 'trees', value: '9' }],
  });
  modelId = body.model.info.model_id as string;
  const place = `/api/2.0/mlflow-artifacts/artifacts/${experiment}/models/${modelId}/artifacts/MLmodel`;
  await source.raw('PUT', place, 'flavors: {}');
  await source.call('PATCH', `logged-models/${modelId}`, { status: 'LOGGED_MODEL_READY' });
  const point = { run_id: runId, key: 'auc', value: 0.75, timestamp: 5, step: 2, model_id: modelId };
  await source.post('runs/log-metric', point);
  await source.post('registered-models/create', { name: 'apples' });
  await source.post('model-versions/create', { name: 'apples', run_id: runId, source: `runs:/${runId}/model` });
  const gone = await source.run(experiment, { run_name: 'gone' });
  await source.post('runs/delete', { run_id: gone });
});
afterAll(async () => {
  for (const fixture of fixtures) await fixture.close();
});

const modelsOf = async (server: MlflowServer): Promise<readonly MlflowLoggedModel[]> => {
  const models: MlflowLoggedModel[] = [];
  for await (const { experiment_id } of server.experiments()) {
    for await (const model of server.loggedModels(experiment_id)) models.push(model);
  }
  return models;
};

it.each([
  ['under their ids', 1, true],
  ['under new ones', 2, false],
] as const)('copies runs, models and files %s, once, and says what differs', async (_, to, keepIds) => {
  const [source, target] = [servers[0], servers[to]] as [MlflowServer, MlflowServer];
  const first = await migrate({ source, target, keepIds });
  expect(first).toMatchObject({
    ...{ experiments: 2, runs: { copied: 2, points: 31, files: 1 }, loggedModels: 1, models: 1, versions: 1 },
    problems: [],
  });
  const [model] = await modelsOf(target);
  expect(model).toMatchObject({
    info: { name: 'forest', status: 'LOGGED_MODEL_READY' },
    data: { params: [{ key: 'trees', value: '9' }], metrics: [{ key: 'auc', value: 0.75 }] },
  });
  expect(model?.info.model_id === modelId).toBe(keepIds);
  const files = await target.files({ modelId: model?.info.model_id ?? '' });
  expect(files).toMatchObject([{ path: 'MLmodel', file_size: 11 }]);
  const again = await migrate({ source, target, keepIds });
  expect(again).toMatchObject({ runs: { copied: 0, unchanged: 2 }, loggedModels: 1, versions: 1, problems: [] });
  expect(await modelsOf(target)).toHaveLength(1);
});

it('says which file came over as another one', async () => {
  const [source, target] = servers as [MlflowServer, MlflowServer];
  const falsifying = Object.create(source) as MlflowServer;
  falsifying.download = (root, file, run) => source.download.call(source, root, file, run);
  const broken = Object.create(target) as MlflowServer;
  broken.upload = (root, file) => target.upload.call(target, root, file, Buffer.from('x'));
  for (const name of [
    'post',
    'get',
    'call',
    'files',
    'runs',
    'experiments',
    'loggedModels',
    'models',
    'versions',
    'history',
  ] as const) {
    Object.assign(broken, { [name]: (target[name] as (...given: unknown[]) => unknown).bind(target) });
    Object.assign(falsifying, { [name]: (source[name] as (...given: unknown[]) => unknown).bind(source) });
  }
  Object.assign(broken, { download: target.download.bind(target) });
  await source.post('runs/set-tag', { run_id: runId, key: 'changed', value: 'yes' });
  const report = await migrate({ source: falsifying, target: broken, keepIds: true });
  expect(report.problems).toEqual([expect.stringMatching(/file 'model\/weights' has the hash \w{12}, it had \w{12}/)]);
});
