/** What goes wrong between a client and its server: sizes, types, repeats, races. Each answer is final: no client tries it again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixture: TrackingFixture;
let run_id: string;
beforeAll(async () => {
  fixture = await openTracking();
  run_id = await fixture.run('0');
});
afterAll(() => fixture.close());

const keyed = async (path: string, key: string, body: object) => {
  const headers = { host: 'localhost', 'idempotency-key': key };
  const answer = await fixture.gateway.app.inject({
    method: 'POST',
    url: `/api/2.0/mlflow/${path}`,
    headers,
    payload: body,
  });
  return answer.json<Record<string, never>>();
};
const model = async (name: string, versions: number): Promise<void> => {
  await fixture.post('registered-models/create', { name });
  for (let version = 1; version <= versions; version++) {
    await fixture.post('model-versions/create', { name, source: `s3://bucket/${name}/${version}` });
  }
};

it('for what is not kept here is told so', async () => {
  for (const path of ['/api/2.0/mlflow/traces', '/api/3.0/mlflow/traces/tr-1', '/api/3.0/mlflow/traces/search']) {
    expect(await fixture.call('POST', path, {})).toMatchObject({
      status: 404,
      body: { error_code: 'ENDPOINT_NOT_FOUND', message: expect.stringContaining('keeps no traces') },
    });
  }
});

describe('a call', () => {
  const point = { key: 'm', value: 1, timestamp: 1, step: 0 };
  it.each([
    ['a key of ten thousand characters', 'runs/log-metric', { ...point, key: 'k'.repeat(10_000) }],
    ['a time beyond all years', 'runs/log-metric', { ...point, timestamp: 1e300 }],
    ['a step that is no whole number', 'runs/log-metric', { ...point, step: 0.5 }],
    ['a step of twenty digits', 'runs/log-metric', { ...point, step: '99999999999999999999' }],
    ['a value with a unit', 'runs/log-metric', { ...point, value: '5 GB' }],
    ['a value that is a list', 'runs/log-metric', { ...point, value: [1] }],
    ['one metric too many', 'runs/log-batch', { metrics: Array.from({ length: 1_001 }, () => point) }],
    ['params that are numbers', 'runs/log-parameter', { key: 'p', value: 5 }],
    ['tags that are texts', 'runs/log-batch', { tags: ['a'] }],
    ['a filter of a thousand brackets', 'runs/search', { experiment_ids: ['0'], filter: '('.repeat(1_000) }],
    ['a name that climbs', 'registered-models/create', { name: '../../x' }],
    ['a name with a slash', 'registered-models/create', { name: 'a/b' }],
    ['a name that is an address', 'registered-models/create', { name: 'models:/x' }],
    ['a name with a NUL', 'registered-models/create', { name: 'a\u0000b' }],
    ['a name of a thousand characters', 'registered-models/create', { name: 'a'.repeat(1_000) }],
  ])('with %s is refused', async (_, path, body) => {
    expect(await fixture.post(path, { run_id, ...body })).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    });
  });

  it('that is too large is refused, and leaves nothing', async () => {
    const tags = [{ key: 'large', value: 'x'.repeat(2 * 1024 ** 2) }];
    expect(await fixture.post('runs/log-batch', { run_id, tags })).toMatchObject({
      status: 413,
      body: { error_code: 'INVALID_PARAMETER_VALUE' },
    });
    const { body } = await fixture.get('runs/get', { run_id });
    expect(body.run.data.tags.map(({ key }: { key: string }) => key)).toEqual(['mlflow.runName']);
  });

  it('with fields that nobody knows is answered as without them', async () => {
    const more = { of: { a: 'newer', version: 9 }, workspace: 'x' };
    expect((await fixture.post('runs/log-metric', { run_id, ...point, ...more })).status).toBe(200);
    expect((await fixture.post('registered-models/create', { name: 'newer', ...more })).status).toBe(200);
    expect((await fixture.get('runs/get', { run_id, workspace: 'x' })).status).toBe(200);
  });
});

describe('the same request twice', () => {
  it('makes one experiment, one version, one move, one point', async () => {
    const made = [
      await keyed('experiments/create', 'e-1', { name: 'once' }),
      await keyed('experiments/create', 'e-1', { name: 'once' }),
    ];
    expect(made[0]?.['experiment_id']).toMatch(/^\d{18}$/);
    expect(made[1]).toEqual(made[0]);
    await model('twice', 1);
    const source = 's3://bucket/twice/2';
    for (let times = 0; times < 2; times++) await keyed('model-versions/create', 'v-1', { name: 'twice', source });
    const { body } = await fixture.get('model-versions/search', { filter: "name = 'twice'" });
    expect(body.model_versions).toHaveLength(2);
    for (let times = 0; times < 2; times++)
      await keyed('registered-models/alias', 'a-1', { name: 'twice', alias: 'champion', version: '1' });
    const { body: history } = await fixture.call('GET', '/api/v1/models/twice/moves');
    expect(history.moves).toHaveLength(1);
    const point = { run_id, key: 'repeated', value: 1, timestamp: 5, step: 5 };
    for (let times = 0; times < 2; times++) await fixture.post('runs/log-metric', point);
    const points = await fixture.get('metrics/get-history', { run_id, metric_key: 'repeated' });
    expect(points.body.metrics).toHaveLength(1);
  });
});

describe('a race', () => {
  it('for an alias ends with one version, which the history says last', async () => {
    await model('raced', 4);
    const move = (version: number) =>
      fixture.post('registered-models/alias', { name: 'raced', alias: 'champion', version: String(version) });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => move(1 + (at % 4))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const { body } = await fixture.get('model-versions/search', { filter: "name = 'raced'" });
    const holders = body.model_versions.filter(({ aliases }: { aliases?: string[] }) => aliases !== undefined);
    expect(holders).toHaveLength(1);
    const named = await fixture.get('registered-models/alias', { name: 'raced', alias: 'champion' });
    expect(named.body.model_version.version).toBe(holders[0].version);
    const platform = await fixture.call('GET', '/api/v1/models/raced');
    expect(String(platform.body.aliases.champion)).toBe(holders[0].version);
  });

  it('for a name, made or given, has one winner, and loses no model', async () => {
    const names = ['red', 'green', 'blue'];
    for (const name of names) await model(name, 1);
    const renames = names.map((name) => fixture.post('registered-models/rename', { name, new_name: 'colour' }));
    const answers = await Promise.all([...renames, fixture.post('registered-models/create', { name: 'colour' })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
    const { body } = await fixture.get('registered-models/search', { filter: "name LIKE '%'" });
    const left = body.registered_models
      .map(({ name }: { name: string }) => name)
      .filter((name: string) => ['colour', ...names].includes(name));
    const created = answers.at(-1)?.status === 200;
    expect(left).toHaveLength(created ? 4 : 3);
    expect(left).toContain('colour');
  });
});

describe('the OpenAPI document', () => {
  it("has the fields of each of MLflow's calls that has some", async () => {
    type Call = {
      readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
      readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
    };
    const { body } = await fixture.call('GET', '/api/v1/openapi.json');
    const paths = body.paths as Readonly<Record<string, Readonly<Record<string, Call>>>>;
    const bare = Object.entries(paths).flatMap(([path, calls]) =>
      Object.entries(calls)
        .filter(([method]) => method === 'post' || method === 'patch')
        .filter(([, { requestBody }]) => requestBody === undefined)
        .map(([method]) => `${method} ${path}`)
        .filter((call) => /\/api\/2\.0\/mlflow\/(experiments|runs|registered-models|model-versions)\//.test(call)),
    );
    expect(bare).toEqual([]);
    const metric = paths['/api/2.0/mlflow/runs/log-metric']?.['post']?.requestBody?.content['application/json'];
    expect(metric?.schema).toMatchObject({
      required: ['run_id', 'key', 'value', 'timestamp'],
      properties: { step: { type: 'integer' } },
    });
    const history = paths['/api/2.0/mlflow/metrics/get-history']?.['get']?.parameters ?? [];
    expect(history.map(({ name, required }) => [name, required ?? false])).toEqual([
      ['run_id', true],
      ['metric_key', true],
      ['max_results', false],
      ['page_token', false],
    ]);
  });
});
