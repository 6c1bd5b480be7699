import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '../../../runtime/testing/index.ts';
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

  it('have a signature from their file alone, whatever a client says', async () => {
    await registered('signed', 1);
    const [key, run_id] = ['millrace.signature', await fixture.run('0')];
    await fixture.raw('PUT', `/api/2.0/mlflow-artifacts/artifacts/0/${run_id}/artifacts/model/model.pkl`, 'x');
    const tags = [
      { key, value: 'forged' },
      { key: 'kind', value: 'red' },
    ];
    await fixture.post('model-versions/create', { name: 'signed', source: `runs:/${run_id}/model`, tags });
    const { body } = await fixture.call('GET', '/api/v1/models/signed');
    expect(body.versions[0]).toMatchObject({ version: 2, tags: { kind: 'red' } });
    expect(body.versions[0].tags).not.toHaveProperty([key]);
    const tag = { name: 'signed', version: '1', key, value: 'forged' };
    expect(await fixture.post('model-versions/set-tag', tag)).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('MLmodel') as string },
    });
  });

  it('have names of aliases that MLflow keeps for itself; the newest version answers to latest', async () => {
    await registered('newest', 2);
    const name = 'newest';
    for (const alias of ['latest', 'Latest', 'v7', 'V7', 'a/b', 'a b']) {
      const set = await fixture.post('registered-models/alias', { name, alias, version: '1' });
      expect([alias, set.status, set.body.error_code]).toEqual([alias, 400, 'INVALID_PARAMETER_VALUE']);
      const rule = await fixture.call('POST', `/api/v1/models/${name}/rules`, { alias, rule: { approval: true } });
      expect([alias, rule.status, rule.body.code]).toEqual([alias, 400, 'INVALID_ARGUMENT']);
      const put = `/api/v1/models/${name}/aliases/${encodeURIComponent(alias)}`;
      expect((await fixture.call('PUT', put, { version: 1 })).status).toBe(400);
    }
    for (const alias of ['latest', 'LATEST']) {
      const { body } = await fixture.get('registered-models/alias', { name, alias });
      expect(body.model_version).toMatchObject({ version: '2' });
    }
    for (const alias of ['größe', '_1', '-x', '2024']) {
      expect((await fixture.post('registered-models/alias', { name, alias, version: '1' })).status).toBe(200);
      expect((await fixture.get('registered-models/alias', { name, alias })).body.model_version.version).toBe('1');
    }
    await fixture.post('registered-models/create', { name: 'without versions' });
    const missing = [
      await fixture.get('registered-models/alias', { name: 'without versions', alias: 'latest' }),
      await fixture.get('registered-models/alias', { name: 'nobody', alias: 'champion' }),
    ];
    expect(missing.map(({ status, body }) => [status, body.error_code])).toEqual([
      [404, 'RESOURCE_DOES_NOT_EXIST'],
      [404, 'RESOURCE_DOES_NOT_EXIST'],
    ]);
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
    await fixture.post('registered-models/alias', { name: 'gone', alias: 'champion', version: '2' });
    await fixture.post('model-versions/transition-stage', { name: 'gone', version: '1', stage: 'Production' });
    await fixture.call('DELETE', 'registered-models/delete', { name: 'gone' });
    const { body } = await fixture.call('GET', `/api/v1/models/gone/at?time=${Date.now()}`);
    expect(body).toMatchObject({ aliases: [], stages: [] });
    expect((await fixture.get('registered-models/get', { name: 'gone' })).status).toBe(404);
    await registered('gone', 1);
    expect((await model('gone')).latest_versions.map(({ version }: { version: string }) => version)).toEqual(['3']);
  });

  it('are renamed with all that they have; a name that is taken stays with its model', async () => {
    await registered('before', 3);
    await fixture.post('registered-models/alias', { name: 'before', alias: 'champion', version: '2' });
    await fixture.post('model-versions/set-tag', { name: 'before', version: '2', key: 'checked', value: 'yes' });
    await fixture.call('PATCH', 'model-versions/update', { name: 'before', version: '3', description: 'new' });
    await fixture.post('model-versions/transition-stage', { name: 'before', version: '3', stage: 'Staging' });
    await fixture.call('DELETE', 'model-versions/delete', { name: 'before', version: '1' });
    const rename = (name: string, new_name: string) => fixture.post('registered-models/rename', { name, new_name });
    await fixture.post('registered-models/create', { name: 'taken' });
    expect(await rename('before', 'taken')).toMatchObject({
      status: 400,
      body: { error_code: 'RESOURCE_ALREADY_EXISTS' },
    });
    expect(await rename('before', '../x')).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    });
    expect(await rename('before', 'before')).toMatchObject({ status: 400 });
    expect(await rename('nobody', 'after')).toMatchObject({ status: 404 });
    const names = ['after', 'a second one'];
    for (const [index, name] of names.entries()) {
      const { status, body } = await rename(names[index - 1] ?? 'before', name);
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body.registered_model).toMatchObject({
        name,
        description: 'd',
        tags: [{ key: 'team', value: 'red' }],
        aliases: [{ alias: 'champion', version: '2' }],
      });
    }
    expect((await fixture.get('registered-models/get', { name: 'before' })).status).toBe(404);
    const named = async (name: string) => {
      const { aliases, stages } = (await fixture.call('GET', `/api/v1/models/${name}/at?time=${Date.now()}`)).body;
      return [...aliases, ...stages].map(({ label, version }) => [label, version]);
    };
    expect(await named('before'), 'what is renamed names nothing any more').toEqual([]);
    expect(await named('a%20second%20one')).toEqual([
      ['champion', 2],
      ['Staging', 3],
    ]);
    const { body } = await fixture.get('model-versions/search', { filter: "name = 'a second one'" });
    const shown = body.model_versions.map((one: Record<string, unknown>) => [
      one['version'],
      one['current_stage'],
      one['description'] ?? one['tags'],
    ]);
    expect(shown.sort()).toEqual([
      ['2', 'None', [{ key: 'checked', value: 'yes' }]],
      ['3', 'Staging', 'new'],
    ]);
    await fixture.post('registered-models/create', { name: 'before' });
    const platform = await fixture.call('GET', '/api/v1/models/a%20second%20one');
    expect(platform.body.versions.map(({ version }: { version: number }) => version)).toEqual([3, 2]);
    expect((await rename('a second one', 'before')).status).toBe(400);
  });

  it('are those of the platform: an ONNX file is registered as what a deployment takes', async () => {
    await registered('onnx', 1, 'model.onnx');
    const answer = await fixture.call('GET', '/api/v1/models/onnx');
    expect(answer.body.versions[0]).toMatchObject({ version: 1, artifact: { codec: 'onnx', sizeBytes: 6 } });
  });
});

describe('a version', () => {
  it('that a flow has registered is a folder that clients load', async () => {
    const { runtime } = fixture.test;
    const { hash, sizeBytes } = await runtime.parts.blobs.put(Buffer.from('an ONNX file'));
    const data = {
      ...{ model: 'of a flow', requestId: 'flow-1', runId: 'f'.repeat(32), taskId: 'train', flow: 'wine' },
      ...{ artifact: { name: 'onnx', hash, sizeBytes, codec: 'onnx' }, metrics: {}, tags: {}, alias: null },
      ...{ description: '', actor: 'ada', source: '', runLink: '', modelId: null, number: null },
    };
    await runtime.publish([{ topic: 'registry', type: 'version-requested', key: 'of a flow', data, id: 'flow-1' }]);
    const made = await eventually('it is registered', async () => {
      const found = await fixture.get('model-versions/get', { name: 'of a flow', version: '1' });
      return found.status === 200 ? found.body.model_version : undefined;
    });
    expect(made.source).toBe(`mlflow-artifacts:/registered/${hash}`);
    const folder = '/api/2.0/mlflow-artifacts/artifacts';
    const list = async (path: string) => (await fixture.call('GET', `${folder}?path=${path}`)).body;
    expect(await list(`registered/${hash}`)).toEqual({
      files: [
        { path: 'MLmodel', is_dir: false, file_size: expect.any(Number) },
        { path: 'model.onnx', is_dir: false, file_size: sizeBytes },
      ],
    });
    expect(await list(`registered/${hash}/model.onnx`)).toEqual({});
    expect((await fixture.raw('GET', `${folder}/registered/${hash}/model.onnx`)).text).toBe('an ONNX file');
    const mlmodel = await fixture.raw('GET', `${folder}/registered/${hash}/MLmodel`);
    expect(parse(mlmodel.text)).toMatchObject({
      flavors: { onnx: { data: 'model.onnx' }, python_function: { loader_module: 'mlflow.onnx' } },
    });
    // Nothing else is reached by its hash, and nothing is put there.
    const other = await runtime.parts.blobs.put(Buffer.from('a secret'));
    for (const path of [`registered/${other.hash}/model.onnx`, `registered/${hash}/other`, `registered/${hash}`]) {
      expect((await fixture.raw('GET', `${folder}/${path}`)).status, path).toBe(404);
    }
    expect((await fixture.raw('PUT', `${folder}/registered/${hash}/model.onnx`, 'x')).status).toBe(404);

    await fixture.post('registered-models/create', { name: 'copy of it' });
    const copied = { name: 'copy of it', source: 'models:/of a flow/1' };
    expect((await fixture.post('model-versions/create', copied)).body.model_version).toMatchObject({
      version: '1',
      source: made.source,
    });
    expect((await fixture.call('GET', '/api/v1/models/copy of it')).body.versions[0].artifact).toMatchObject({ hash });
  });

  it('is copied to another model, and stays whole when what was copied is deleted', async () => {
    await registered('first of all', 1);
    await fixture.post('registered-models/create', { name: 'second' });
    const copy = { name: 'second', source: 'models:/first of all/1' };
    expect((await fixture.post('model-versions/create', copy)).status).toBe(200);
    await fixture.call('DELETE', 'registered-models/delete', { name: 'first of all' });
    const uri = await fixture.get('model-versions/get-download-uri', { name: 'second', version: '1' });
    const folder = uri.body.artifact_uri.replace('mlflow-artifacts:/', '/api/2.0/mlflow-artifacts/artifacts/');
    expect((await fixture.raw('GET', `${folder}/model.pkl`)).text).toBe('first of all 1');
    expect(await fixture.post('model-versions/create', copy)).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
  });

  it('is changed by descriptions and stages, as MLflow counts it, and not by tags and aliases', async () => {
    await registered('timed', 1);
    const times = async () => {
      const { body } = await fixture.get('model-versions/get', { name: 'timed', version: '1' });
      return [body.model_version.last_updated_timestamp, (await model('timed')).last_updated_timestamp];
    };
    const before = await times();
    const version = { name: 'timed', version: '1' };
    await fixture.post('model-versions/set-tag', { ...version, key: 'a', value: 'b' });
    await fixture.call('DELETE', 'model-versions/delete-tag', { ...version, key: 'a' });
    await fixture.post('registered-models/set-tag', { name: 'timed', key: 'a', value: 'b' });
    await fixture.call('DELETE', 'registered-models/delete-tag', { name: 'timed', key: 'a' });
    await fixture.post('registered-models/alias', { ...version, alias: 'champion' });
    await fixture.call('DELETE', 'registered-models/alias', { name: 'timed', alias: 'champion' });
    expect(await times()).toEqual(before);
    await fixture.post('model-versions/transition-stage', { ...version, stage: 'staging' });
    const [ofVersion = 0, ofModel = 0] = await times();
    expect([ofVersion > (before[0] ?? 0), ofModel > (before[1] ?? 0)]).toEqual([true, true]);
  });

  it.each(['0', '-1', '99'])('number %s is not there', async (version) => {
    await fixture.post('registered-models/create', { name: 'numbered' });
    expect(await fixture.get('model-versions/get', { name: 'numbered', version })).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
  });
});

it('prompts are refused before anything of them is made', async () => {
  const tags = [{ key: 'mlflow.prompt.is_prompt', value: 'true' }];
  expect(await fixture.post('registered-models/create', { name: 'a prompt', tags })).toMatchObject({
    status: 400,
    body: { error_code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining('no prompts') },
  });
  expect((await fixture.get('registered-models/get', { name: 'a prompt' })).status).toBe(404);
});

describe('logged models', () => {
  it('are searched by metrics of a data set, in the filter as in the order', async () => {
    const experiment_id = await fixture.experiment('measured on data sets');
    const run_id = await fixture.run(experiment_id);
    const ids: string[] = [];
    for (const [name, auc, test] of [
      ['a', 0.9, 0.1],
      ['b', 0.8, 0.7],
    ] as const) {
      const { model_id } = (await fixture.post('logged-models', { experiment_id, name })).body.model.info;
      ids.push(model_id);
      const metric = { run_id, key: 'auc', timestamp: 1, model_id };
      await fixture.post('runs/log-metric', { ...metric, value: auc, dataset_name: 'train', dataset_digest: 't1' });
      await fixture.post('runs/log-metric', { ...metric, value: test, dataset_name: 'test', dataset_digest: 't2' });
    }
    const found = async (more: object): Promise<string[]> => {
      const { models = [] } = (await fixture.post('logged-models/search', { experiment_ids: [experiment_id], ...more }))
        .body;
      return models.map(({ info }: { info: { name: string } }) => info.name);
    };
    const filter = 'metrics.auc > 0.5';
    expect((await found({ filter })).sort()).toEqual(['a', 'b']);
    expect(await found({ filter, datasets: [{ dataset_name: 'test' }] })).toEqual(['b']);
    expect(await found({ filter, datasets: [{ dataset_name: 'test', dataset_digest: 'other' }] })).toEqual([]);
    expect(await found({ filter, datasets: [{ dataset_name: 'nobody' }] })).toEqual([]);
    const order = { field_name: 'metrics.auc', ascending: false };
    expect(await found({ order_by: [order] })).toEqual(['a', 'b']);
    expect(await found({ order_by: [{ ...order, dataset_name: 'test', dataset_digest: 't2' }] })).toEqual(['b', 'a']);
  });

  it('keep parameters for ever; a tag that is not there is missing; a deleted one may be deleted', async () => {
    const { model_id } = (await fixture.post('logged-models', { experiment_id: '0', name: 'kept' })).body.model.info;
    const params = (value: string) =>
      fixture.post(`logged-models/${model_id}/params`, { params: [{ key: 'depth', value }] });
    expect((await params('3')).status).toBe(200);
    expect((await params('3')).status).toBe(200);
    expect(await params('4')).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    expect(await fixture.call('DELETE', `logged-models/${model_id}/tags/none`)).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
    for (let times = 0; times < 2; times += 1) {
      expect(await fixture.call('DELETE', `logged-models/${model_id}`)).toEqual({ status: 200, body: {} });
    }
    expect((await fixture.call('DELETE', `logged-models/m-${'0'.repeat(32)}`)).status).toBe(404);
  });

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
    // What the run says at last is of another model of it.
    await fixture.post('runs/log-metric', { run_id: source_run_id, key: 'auc', value: 0.1, timestamp: 2, step: 1 });
    await fixture.post('runs/log-metric', { run_id: source_run_id, key: 'rows', value: 9, timestamp: 2 });
    const made = await fixture.post('model-versions/create', { name: 'forest', source: `models:/${model_id}` });
    expect(made.body.model_version, 'the run of the logged model, as on MLflow').toMatchObject({
      run_id: source_run_id,
      model_id,
    });
    const platform = await fixture.call('GET', '/api/v1/models/forest');
    expect(platform.body.versions[0]).toMatchObject({ runId: source_run_id, metrics: { auc: 0.9, rows: 9 } });
    const uri = await fixture.get('model-versions/get-download-uri', { name: 'forest', version: '1' });
    expect(uri.body.artifact_uri).toBe(artifact_uri);
    await fixture.call('DELETE', `logged-models/${model_id}`);
    expect((await fixture.call('GET', `logged-models/${model_id}`)).status).toBe(404);
  });
});
