import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixture: TrackingFixture;
beforeAll(async () => {
  fixture = await openTracking();
});
afterAll(() => fixture.close());

/** A model with so many versions, each with files of its own. */
async function registered(name: string, versions: number, file = 'model.pkl'): Promise<void> {
  await fixture.post('registered-models/create', { name, tags: [{ key: 'team', value: 'red' }], description: 'd' });
  for (let version = 1; version <= versions; version++) {
    const run_id = await fixture.run('0');
    const path = `0/${run_id}/artifacts/model/${file}`;
    await fixture.raw('PUT', `/api/2.0/mlflow-artifacts/artifacts/${path}`, `${name} ${version}`);
    await fixture.post('model-versions/create', { name, run_id, source: `runs:/${run_id}/model` });
  }
}

const model = async (name: string) => (await fixture.get('registered-models/get', { name })).body.registered_model;
const stages = async (name: string): Promise<unknown> => {
  const { body } = await fixture.get('model-versions/search', {
    filter: `name = '${name}'`,
    order_by: 'version_number ASC',
  });
  return body.model_versions.map(({ current_stage }: { current_stage: string }) => current_stage);
};

describe('registered models', () => {
  it('have versions that are numbered, described, tagged and found', async () => {
    await registered('wine', 2);
    await fixture.call('PATCH', 'model-versions/update', { name: 'wine', version: '2', description: 'better' });
    await fixture.post('model-versions/set-tag', { name: 'wine', version: '2', key: 'checked', value: 'yes' });
    const { body } = await fixture.get('model-versions/get', { name: 'wine', version: '2' });
    expect(body.model_version).toMatchObject({
      name: 'wine',
      version: '2',
      status: 'READY',
      current_stage: 'None',
      description: 'better',
      user_id: 'ada',
      source: expect.stringMatching(/^mlflow-artifacts:\/0\/[0-9a-f]{32}\/artifacts\/model$/),
      tags: [{ key: 'checked', value: 'yes' }],
    });
    const uri = await fixture.get('model-versions/get-download-uri', { name: 'wine', version: '2' });
    expect(uri.body.artifact_uri).toBe(body.model_version.source);
    const found = await fixture.get('model-versions/search', { filter: "tags.checked = 'yes' and version_number > 1" });
    expect(found.body.model_versions).toHaveLength(1);
    expect(await model('wine')).toMatchObject({ description: 'd', tags: [{ key: 'team', value: 'red' }] });
    const filter = "name LIKE 'wi%' AND tags.`mlflow.prompt.is_prompt` != 'true'";
    expect((await fixture.get('registered-models/search', { filter })).body.registered_models).toHaveLength(1);
  });

  it('answer a name that is taken as the client expects it', async () => {
    await fixture.post('registered-models/create', { name: 'twice' });
    const again = await fixture.post('registered-models/create', { name: 'twice' });
    expect(again).toMatchObject({ status: 400, body: { error_code: 'RESOURCE_ALREADY_EXISTS' } });
  });

  it('have aliases that move, and go with their version', async () => {
    await registered('aliased', 2);
    const alias = { name: 'aliased', alias: 'champion' };
    for (const version of ['1', '2']) await fixture.post('registered-models/alias', { ...alias, version });
    expect((await fixture.get('registered-models/alias', alias)).body.model_version).toMatchObject({
      version: '2',
      aliases: ['champion'],
    });
    await fixture.call('DELETE', 'model-versions/delete', { name: 'aliased', version: '2' });
    expect((await fixture.get('registered-models/alias', alias)).status).toBe(400);
    const missing = await fixture.post('registered-models/alias', { ...alias, version: '2' });
    expect(missing).toMatchObject({ status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } });
  });

  it('have stages, and archive what was in one', async () => {
    await registered('staged', 3);
    const move = (version: string, archive_existing_versions: boolean) =>
      fixture.post('model-versions/transition-stage', {
        name: 'staged',
        version,
        stage: 'production',
        archive_existing_versions,
      });
    await move('1', false);
    await move('2', false);
    expect(await stages('staged')).toEqual(['Production', 'Production', 'None']);
    await move('3', true);
    expect(await stages('staged')).toEqual(['Archived', 'Archived', 'Production']);
    const { body } = await fixture.post('registered-models/get-latest-versions', {
      name: 'staged',
      stages: ['Production'],
    });
    expect(body.model_versions.map(({ version }: { version: string }) => version)).toEqual(['3']);
  });

  it('are deleted with their versions, whose numbers are not given again', async () => {
    await registered('gone', 2);
    await fixture.call('DELETE', 'registered-models/delete', { name: 'gone' });
    expect((await fixture.get('registered-models/get', { name: 'gone' })).status).toBe(404);
    await registered('gone', 1);
    expect((await model('gone')).latest_versions.map(({ version }: { version: string }) => version)).toEqual(['3']);
  });

  it('are those of the platform: an ONNX file is registered as what a deployment takes', async () => {
    await registered('onnx', 1, 'model.onnx');
    const answer = await fixture.call('GET', '/api/v1/models/onnx');
    expect(answer.body.versions[0]).toMatchObject({ version: 1, artifact: { codec: 'onnx', sizeBytes: 6 } });
  });
});

describe('logged models', () => {
  it('begin pending, become ready, are found and registered', async () => {
    const source_run_id = await fixture.run('0');
    const { body } = await fixture.post('logged-models', {
      experiment_id: '0',
      name: 'forest',
      model_type: 'sklearn',
      source_run_id,
      params: [{ key: 'depth', value: '3' }],
    });
    const { model_id, artifact_uri, status } = body.model.info;
    expect([status, artifact_uri]).toEqual([
      'LOGGED_MODEL_PENDING',
      `mlflow-artifacts:/0/models/${model_id}/artifacts`,
    ]);
    await fixture.raw('PUT', `/api/2.0/mlflow-artifacts/artifacts/0/models/${model_id}/artifacts/MLmodel`, 'x');
    const metric = { run_id: source_run_id, key: 'auc', value: 0.9, timestamp: 1, model_id };
    await fixture.post('runs/log-metric', metric);
    await fixture.call('PATCH', `logged-models/${model_id}`, { model_id, status: 'LOGGED_MODEL_READY' });
    const search = { experiment_ids: ['0'], filter: "metrics.auc > 0.8 and params.depth = '3'" };
    const [found] = (await fixture.post('logged-models/search', search)).body.models;
    expect(found.info).toMatchObject({ model_id, status: 'LOGGED_MODEL_READY', model_type: 'sklearn' });
    await fixture.post('registered-models/create', { name: 'forest' });
    await fixture.post('model-versions/create', { name: 'forest', source: `models:/${model_id}`, model_id });
    const uri = await fixture.get('model-versions/get-download-uri', { name: 'forest', version: '1' });
    expect(uri.body.artifact_uri).toBe(artifact_uri);
    await fixture.call('DELETE', `logged-models/${model_id}`);
    expect((await fixture.call('GET', `logged-models/${model_id}`)).status).toBe(404);
  });
});
