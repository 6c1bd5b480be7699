import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixture: TrackingFixture;
beforeAll(async () => {
  fixture = await openTracking();
});
afterAll(() => fixture.close());

describe('experiments', () => {
  it('has a default one, makes others and finds them by id and name', async () => {
    expect((await fixture.get('experiments/get', { experiment_id: '0' })).body.experiment).toMatchObject({
      name: 'Default',
      artifact_location: 'mlflow-artifacts:/0',
      lifecycle_stage: 'active',
    });
    const { body } = await fixture.post('experiments/create', { name: 'wine', tags: [{ key: 'team', value: 'a' }] });
    const found = await fixture.get('experiments/get-by-name', { experiment_name: 'wine' });
    expect(found.body.experiment).toEqual({
      experiment_id: body.experiment_id,
      name: 'wine',
      artifact_location: `mlflow-artifacts:/${body.experiment_id}`,
      lifecycle_stage: 'active',
      creation_time: expect.any(Number),
      last_update_time: expect.any(Number),
      tags: [{ key: 'team', value: 'a' }],
    });
  });

  it('answers a name that is taken, and one that is unknown, as the client expects it', async () => {
    expect(await fixture.post('experiments/create', { name: 'Default' })).toEqual({
      status: 400,
      body: { error_code: 'RESOURCE_ALREADY_EXISTS', message: expect.stringContaining("'Default' already exists") },
    });
    const unknown = await fixture.get('experiments/get-by-name', { experiment_name: 'nope' });
    expect(unknown).toMatchObject({ status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } });
  });

  it('gives a name to one of many that ask for it at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => fixture.post('experiments/create', { name: 'race' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400, 400, 400, 400]);
  });

  it('renames, tags, deletes and restores; nothing is logged to a deleted one', async () => {
    const missing = { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } };
    const experiment_id = await fixture.experiment('old name');
    expect((await fixture.post('experiments/update', { experiment_id, new_name: 'new name' })).body).toEqual({});
    expect((await fixture.post('experiments/create', { name: 'old name' })).status).toBe(200);
    await fixture.post('experiments/set-experiment-tag', { experiment_id, key: 'k', value: 'v' });
    expect((await fixture.get('experiments/get', { experiment_id })).body.experiment).toMatchObject({
      name: 'new name',
      tags: [{ key: 'k', value: 'v' }],
    });
    await fixture.post('experiments/delete-experiment-tag', { experiment_id, key: 'k' });
    expect(await fixture.post('experiments/delete-experiment-tag', { experiment_id, key: 'k' })).toMatchObject(missing);
    expect((await fixture.post('runs/create', { experiment_id })).status).toBe(200);
    await fixture.post('experiments/delete', { experiment_id });
    expect(await fixture.post('runs/create', { experiment_id })).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    });
    expect(await fixture.post('experiments/delete', { experiment_id })).toMatchObject(missing);
    await fixture.post('experiments/restore', { experiment_id });
    expect(await fixture.post('experiments/restore', { experiment_id })).toMatchObject(missing);
    expect((await fixture.post('runs/create', { experiment_id })).status).toBe(200);
    const { experiment } = (await fixture.get('experiments/get', { experiment_id })).body;
    expect(experiment.lifecycle_stage).toBe('active');
    expect(experiment).not.toHaveProperty('tags');
  });

  it('are deleted and restored with their runs; a run that was deleted by itself stays so', async () => {
    const experiment_id = await fixture.experiment('with runs');
    const other = await fixture.experiment('beside it');
    const [kept, gone, beside] = [
      await fixture.run(experiment_id),
      await fixture.run(experiment_id),
      await fixture.run(other),
    ];
    await fixture.post('runs/delete', { run_id: gone });
    const seen = async () => {
      const found: Record<string, string[]> = {};
      for (const run_view_type of ['ACTIVE_ONLY', 'DELETED_ONLY', 'ALL']) {
        const asked = { experiment_ids: [experiment_id, other], run_view_type };
        const { runs = [] } = (await fixture.post('runs/search', asked)).body;
        found[run_view_type] = runs.map(({ info }: { info: { run_id: string } }) => info.run_id).sort();
      }
      const { run } = (await fixture.get('runs/get', { run_id: kept })).body;
      return { ...found, kept: run.info.lifecycle_stage };
    };
    const all = [kept, gone, beside].sort();
    const before = { ACTIVE_ONLY: [kept, beside].sort(), DELETED_ONLY: [gone], ALL: all, kept: 'active' };
    expect(await seen()).toEqual(before);
    await fixture.post('experiments/delete', { experiment_id });
    const without = { ACTIVE_ONLY: [beside], DELETED_ONLY: [kept, gone].sort(), ALL: all, kept: 'deleted' };
    expect(await seen()).toEqual(without);
    const writes = [
      ['runs/log-metric', { key: 'm', value: 1, timestamp: 1 }],
      ['runs/log-batch', { tags: [{ key: 't', value: 'v' }] }],
      ['runs/set-tag', { key: 't', value: 'v' }],
      ['runs/update', { status: 'FINISHED' }],
      ['runs/log-inputs', { models: [{ model_id: 'm-1' }] }],
    ] as const;
    for (const [path, body] of writes) {
      expect(await fixture.post(path, { run_id: kept, ...body }), path).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_PARAMETER_VALUE' },
      });
    }
    await fixture.post('experiments/restore', { experiment_id });
    expect(await seen()).toEqual(before);
    expect((await fixture.post('runs/log-metric', { run_id: kept, key: 'm', value: 1, timestamp: 1 })).status).toBe(
      200,
    );
  });

  it('are searched by name, tag and view type, in pages', async () => {
    for (let index = 0; index < 5; index++) await fixture.experiment(`page ${index}`);
    const names: string[] = [];
    for (let page_token = ''; ; ) {
      const { body } = await fixture.post('experiments/search', {
        filter: "name LIKE 'page %'",
        order_by: ['name DESC'],
        max_results: 2,
        page_token,
      });
      names.push(...body.experiments.map(({ name }: { name: string }) => name));
      page_token = body.next_page_token ?? '';
      if (page_token === '') break;
    }
    expect(names).toEqual(['page 4', 'page 3', 'page 2', 'page 1', 'page 0']);
    const deleted = await fixture.get('experiments/search', { view_type: 'DELETED_ONLY', max_results: '5' });
    expect(deleted).toEqual({ status: 200, body: {} });
  });
});

describe('runs', () => {
  it('begin with a name and an address for their files, and end', async () => {
    const { body } = await fixture.post('runs/create', {
      experiment_id: '0',
      user_id: 'bob',
      start_time: 1_700_000_000_000,
      tags: [{ key: 'mlflow.runName', value: 'first' }],
    });
    const { run_id } = body.run.info;
    expect(run_id).toMatch(/^[0-9a-f]{32}$/);
    expect(body.run).toEqual({
      info: {
        run_id,
        run_uuid: run_id,
        run_name: 'first',
        experiment_id: '0',
        user_id: 'bob',
        status: 'RUNNING',
        start_time: 1_700_000_000_000,
        artifact_uri: `mlflow-artifacts:/0/${run_id}/artifacts`,
        lifecycle_stage: 'active',
      },
      data: { tags: [{ key: 'mlflow.runName', value: 'first' }] },
      inputs: {},
    });
    const ended = await fixture.post('runs/update', { run_id, status: 'FINISHED', end_time: 1_700_000_001_000 });
    expect(ended.body.run_info).toMatchObject({ status: 'FINISHED', end_time: 1_700_000_001_000, run_name: 'first' });
    expect((await fixture.get('runs/get', { run_id })).body.run).toEqual({
      ...body.run,
      info: { ...body.run.info, status: 'FINISHED', end_time: 1_700_000_001_000 },
    });
  });

  it('take a name by update or by tag, which stay the same', async () => {
    const run_id = await fixture.run('0');
    await fixture.post('runs/update', { run_id, run_name: 'renamed' });
    const { run } = (await fixture.get('runs/get', { run_id })).body;
    expect(run.data.tags).toEqual([{ key: 'mlflow.runName', value: 'renamed' }]);
    await fixture.post('runs/set-tag', { run_id, key: 'mlflow.runName', value: 'again' });
    expect((await fixture.get('runs/get', { run_id })).body.run.info.run_name).toBe('again');
  });

  it('refuse what is logged while they are deleted, and take it when they are restored', async () => {
    const run_id = await fixture.run('0');
    const metric = { run_id, key: 'm', value: 1, timestamp: 1 };
    await fixture.post('runs/delete', { run_id });
    expect(await fixture.post('runs/log-metric', metric)).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    });
    await fixture.post('runs/restore', { run_id });
    expect((await fixture.post('runs/log-metric', metric)).status).toBe(200);
  });

  it('are made once for one idempotency key', async () => {
    const inject = () =>
      fixture.gateway.app.inject({
        method: 'POST',
        url: '/api/2.0/mlflow/runs/create',
        headers: { host: 'localhost', 'idempotency-key': 'k1' },
        payload: { experiment_id: '0', run_name: 'once' },
      });
    const ids = [await inject(), await inject()].map((answer) => answer.json().run.info.run_id);
    expect(ids[0]).toBe(ids[1]);
    const { body } = await fixture.post('runs/search', { experiment_ids: ['0'], filter: "run_name = 'once'" });
    expect(body.runs).toHaveLength(1);
  });
});

describe('values', () => {
  it('keep numbers as MLflow does: not-a-number, infinities and whole numbers as texts', async () => {
    const run_id = await fixture.run('0');
    for (const [key, value] of [
      ['nan', 'NaN'],
      ['up', 'Infinity'],
      ['down', '-Infinity'],
      ['text', '0.25'],
    ] as const) {
      expect((await fixture.post('runs/log-metric', { run_id, key, value, timestamp: '17', step: '3' })).body).toEqual(
        {},
      );
    }
    const { metrics } = (await fixture.get('runs/get', { run_id })).body.run.data;
    const at = { timestamp: 17, step: 3 };
    expect(metrics).toEqual([
      { key: 'down', value: -1.7976931348623157e308, ...at },
      { key: 'nan', value: 'NaN', ...at },
      { key: 'text', value: 0.25, ...at },
      { key: 'up', value: 1.7976931348623157e308, ...at },
    ]);
  });

  it('show as latest the greatest step, then time, then value, in whichever order they come', async () => {
    const run_id = await fixture.run('0');
    const points = [
      [1, 10, 5],
      [2, 20, 9],
      [2, 20, 7],
      [2, 10, 99],
      [0, 99, 99],
    ] as const;
    for (const [step, timestamp, value] of points) {
      await fixture.post('runs/log-metric', { run_id, key: 'm', value, timestamp, step });
    }
    expect((await fixture.get('runs/get', { run_id })).body.run.data.metrics).toEqual([
      { key: 'm', value: 9, timestamp: 20, step: 2 },
    ]);
  });

  it('give the whole history in pages, each point once', async () => {
    const run_id = await fixture.run('0');
    const metrics = Array.from({ length: 1_000 }, (_, step) => ({ key: 'loss', value: step / 7, timestamp: 5, step }));
    await fixture.post('runs/log-batch', { run_id, metrics });
    await fixture.post('runs/log-batch', { run_id, metrics: metrics.slice(0, 500) });
    const seen: number[] = [];
    for (let page_token = ''; ; ) {
      const { body } = await fixture.get('metrics/get-history', {
        run_id,
        metric_key: 'loss',
        max_results: '300',
        page_token,
      });
      seen.push(...body.metrics.map(({ step }: { step: number }) => step));
      page_token = body.next_page_token ?? '';
      if (page_token === '') break;
    }
    expect(seen).toEqual(metrics.map(({ step }) => step));
    const chart = await fixture.get('/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval', {
      run_ids: [run_id],
      metric_key: 'loss',
      start_step: '100',
      end_step: '199',
      max_results: '10',
    });
    expect(chart.body.metrics[0]).toEqual({ key: 'loss', value: 100 / 7, timestamp: 5, step: 100, run_id });
    expect(chart.body.metrics.length).toBeLessThanOrEqual(11);
  });

  it('keep a parameter for ever: the same value again is no fault, another one is, and leaves nothing of its batch', async () => {
    const run_id = await fixture.run('0');
    const param = { run_id, key: 'alpha', value: '0.5' };
    expect((await fixture.post('runs/log-parameter', param)).status).toBe(200);
    expect((await fixture.post('runs/log-parameter', param)).status).toBe(200);
    const batch = {
      run_id,
      params: [
        { key: 'alpha', value: '0.7' },
        { key: 'beta', value: '1' },
      ],
      tags: [{ key: 't', value: '1' }],
    };
    expect(await fixture.post('runs/log-batch', batch)).toEqual({
      status: 400,
      body: {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: expect.stringContaining("{'key': 'alpha', 'old_value': '0.5', 'new_value': '0.7'}"),
      },
    });
    const { data } = (await fixture.get('runs/get', { run_id })).body.run;
    expect(data.params).toEqual([{ key: 'alpha', value: '0.5' }]);
    expect(data.tags.map(({ key }: { key: string }) => key)).toEqual(['mlflow.runName']);
  });

  it('let one of many that log another value of a parameter at once succeed', async () => {
    const run_id = await fixture.run('0');
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, value) =>
        fixture.post('runs/log-parameter', { run_id, key: 'p', value: `${value}` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('set and remove tags', async () => {
    const run_id = await fixture.run('0');
    await fixture.post('runs/set-tag', { run_id, key: 'a', value: '1' });
    await fixture.post('runs/set-tag', { run_id, key: 'a', value: '2' });
    expect((await fixture.get('runs/get', { run_id })).body.run.data.tags).toContainEqual({ key: 'a', value: '2' });
    expect((await fixture.post('runs/delete-tag', { run_id, key: 'a' })).body).toEqual({});
    expect((await fixture.post('runs/delete-tag', { run_id, key: 'a' })).body.error_code).toBe(
      'RESOURCE_DOES_NOT_EXIST',
    );
  });

  it('show datasets and models that a run has read and made', async () => {
    const run_id = await fixture.run('0');
    const dataset = { name: 'wine', digest: 'd1', source_type: 'local', source: '{"uri": "x"}', schema: '{}' };
    const tags = [{ key: 'mlflow.data.context', value: 'training' }];
    const models = [{ model_id: 'm-1' }];
    await fixture.post('runs/log-inputs', { run_id, datasets: [{ tags, dataset }], models });
    // Once, as it came first.
    const again = [{ key: 'mlflow.data.context', value: 'eval' }];
    await fixture.post('runs/log-inputs', { run_id, datasets: [{ tags: again, dataset }] });
    await fixture.post('/api/2.0/mlflow/runs/outputs', { run_id, models: [{ model_id: 'm-2', step: 4 }] });
    const { run } = (await fixture.get('runs/get', { run_id })).body;
    expect(run.inputs).toEqual({ dataset_inputs: [{ tags, dataset }], model_inputs: models });
    expect(run.outputs).toEqual({ model_outputs: [{ model_id: 'm-2', step: 4 }] });
    const { body } = await fixture.post('runs/search', { experiment_ids: ['0'], filter: "dataset.digest = 'd1'" });
    expect(body.runs).toHaveLength(1);
    const summaries = await fixture.post('experiments/search-datasets', { experiment_ids: ['0'] });
    expect(summaries.body).toEqual({
      dataset_summaries: [{ experiment_id: '0', name: 'wine', digest: 'd1', context: 'training' }],
    });
  });
});

describe('bad calls', () => {
  const bad: readonly (readonly [
    what: string,
    path: string,
    body: Record<string, unknown>,
    code: string,
    status: number,
  ])[] = [
    ['no run id', 'runs/log-metric', { key: 'm', value: 1, timestamp: 1 }, 'INVALID_PARAMETER_VALUE', 400],
    [
      'an unknown run',
      'runs/log-metric',
      { run_id: 'f'.repeat(32), key: 'm', value: 1, timestamp: 1 },
      'RESOURCE_DOES_NOT_EXIST',
      404,
    ],
    [
      'a run id that is a path',
      'runs/log-metric',
      { run_id: '../x', key: 'm', value: 1, timestamp: 1 },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    ['no value', 'runs/log-metric', { run_id: '$', key: 'm', timestamp: 1 }, 'INVALID_PARAMETER_VALUE', 400],
    [
      'a value that is no number',
      'runs/log-metric',
      { run_id: '$', key: 'm', value: 'high', timestamp: 1 },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    [
      'a time that is none',
      'runs/log-metric',
      { run_id: '$', key: 'm', value: 1, timestamp: 1.5 },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    [
      'a key that is too long',
      'runs/log-parameter',
      { run_id: '$', key: 'k'.repeat(251), value: '' },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    [
      'a key with odd characters',
      'runs/log-parameter',
      { run_id: '$', key: 'a;b', value: '' },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    ['a key that climbs', 'runs/set-tag', { run_id: '$', key: 'a/../../b', value: '' }, 'INVALID_PARAMETER_VALUE', 400],
    [
      'a key of prototypes',
      'runs/set-tag',
      { run_id: '$', key: '__proto__', value: '' },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    [
      'too many parameters',
      'runs/log-batch',
      { run_id: '$', params: Array.from({ length: 101 }, (_, i) => ({ key: `${i}`, value: '' })) },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    [
      'a parameter twice',
      'runs/log-batch',
      {
        run_id: '$',
        params: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      },
      'INVALID_PARAMETER_VALUE',
      400,
    ],
    ['a list that is none', 'runs/log-batch', { run_id: '$', metrics: 'm' }, 'INVALID_PARAMETER_VALUE', 400],
    ['an unknown status', 'runs/update', { run_id: '$', status: 'DONE' }, 'INVALID_PARAMETER_VALUE', 400],
    ['an unknown experiment', 'runs/create', { experiment_id: '77' }, 'RESOURCE_DOES_NOT_EXIST', 404],
    ['too many results', 'runs/search', { experiment_ids: ['0'], max_results: 50_001 }, 'INVALID_PARAMETER_VALUE', 400],
    ['an unknown path', 'runs/explode', {}, 'ENDPOINT_NOT_FOUND', 404],
  ];
  it.each(bad)('%s is refused with a code that no client tries again', async (_, path, body, code, status) => {
    const run_id = body['run_id'] === '$' ? { run_id: await fixture.run('0') } : {};
    expect(await fixture.post(path, { ...body, ...run_id })).toEqual({
      status,
      body: { error_code: code, message: expect.any(String) },
    });
  });

  it('a body that is no JSON is refused', async () => {
    const url = '/api/2.0/mlflow/runs/create';
    const headers = { host: 'localhost', 'content-type': 'application/json' };
    const answer = await fixture.gateway.app.inject({ method: 'POST', url, headers, payload: '{"a":' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error_code).toBe('BAD_REQUEST');
  });

  it('values that are too long are cut, never within a character', async () => {
    const run_id = await fixture.run('0');
    await fixture.post('runs/log-parameter', { run_id, key: 'long', value: `${'x'.repeat(5_999)}😀😀` });
    await fixture.post('runs/set-tag', { run_id, key: 'smiles', value: '😀'.repeat(8_001) });
    const { params, tags } = (await fixture.get('runs/get', { run_id })).body.run.data;
    expect(params[0].value).toBe(`${'x'.repeat(5_999)}😀`);
    expect(tags).toContainEqual({ key: 'smiles', value: '😀'.repeat(8_000) });
  });
});

it('says that it is well, and which protocol it speaks', async () => {
  expect((await fixture.raw('GET', '/health')).text).toBe('OK');
  expect((await fixture.raw('GET', '/version')).text).toMatch(/^3\.\d+\.\d+$/);
});
