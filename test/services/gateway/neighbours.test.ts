/** The protocols of MLflow's scoring server and of Seldon Core 1, before models of scikit-learn. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCsv } from '../../../runtime/tensors/csv.ts';
import { serveModels, type Served } from './served-models.ts';

let served: Served;
beforeAll(async () => {
  served = await serveModels(['iris-logreg', 'people-column-pipeline-strings', 'two-in-four-out']);
});
afterAll(() => served.close());

interface Case {
  readonly inputs: readonly { readonly name: string; readonly data: readonly (number | string)[] }[];
  readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
}
/** As the training library predicts. */
const golden = (name: string): Case => {
  const text = readFileSync(new URL(`../../models/${name}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly cases: readonly Case[] }).cases[0]!;
};
const iris = golden('iris-logreg');
const flower = iris.inputs[0]!.data.slice(0, 4) as readonly number[];
const columns = ['sepal length', 'sepal width', 'petal length', 'petal width'];
const probabilities = iris.outputs[1]!.data.slice(0, 3);
const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 5) as number);
const json = (response: { json(): unknown }) => response.json() as Record<string, unknown>;
const invoke = (body: unknown, model = 'iris-logreg', headers = {}) =>
  served.post(`/endpoints/${model}/invocations`, body, headers);

describe('MLflow /invocations', () => {
  const record = Object.fromEntries(columns.map((name, at) => [name, flower[at]]));
  it.each<[string, object]>([
    ['dataframe_split', { dataframe_split: { columns, index: [0], data: [flower] } }],
    ['dataframe_records', { dataframe_records: [record] }],
    ['instances', { instances: [flower] }],
    ['instances by name', { instances: [{ X: flower }] }],
    ['inputs', { inputs: [flower] }],
    ['inputs by name', { inputs: { X: [flower] }, params: {} }],
  ])('takes %s', async (_, body) => {
    const response = await invoke(body);
    expect([response.statusCode, json(response)]).toEqual([
      200,
      { predictions: { label: [iris.outputs[0]!.data[0]], probabilities: [close(probabilities)] } },
    ]);
    expect(response.headers['millrace-prediction']).toMatch(/^[0-9a-f-]+$/);
  });

  it('takes CSV, with numbers and texts as the columns are', async () => {
    const people = golden('people-column-pipeline-strings');
    const names = people.inputs.map(({ name }) => name);
    const rows = people.inputs[0]!.data.map((_, row) => people.inputs.map(({ data }) => `"${data[row]}"`).join(','));
    const csv = `${names.join(',')}\r\n${rows.join('\r\n')}\r\n`;
    const response = await invoke(csv, 'people-column-pipeline-strings', { 'content-type': 'text/csv' });
    expect(response.statusCode).toBe(200);
    expect((json(response)['predictions'] as { label: unknown }).label).toEqual(people.outputs[0]!.data);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'two fields',
      { inputs: [[1]], instances: [[1]] },
      /exactly one of the input fields dataframe_split, dataframe_records, instances, inputs.*Received: inputs, instances/,
    ],
    ['no field', {}, /Received: none/],
    ['a list', [1], /Received: no object/],
    ['an unknown field', { dataframe: [] }, /Received: dataframe/],
    ['params of a model without', { inputs: [flower], params: { alpha: 1 } }, /takes no params, got alpha/],
    [
      'a ragged row',
      { dataframe_split: { columns, data: [flower, [1]] } },
      /row 1 must have a value for each of 4 columns, got 1 values/,
    ],
    [
      'other columns in one row',
      { dataframe_records: [record, { a: 1 }] },
      /row 1 has the columns a, row 0 has sepal length/,
    ],
    [
      'too few columns',
      { dataframe_split: { columns: ['a'], data: [[1]] } },
      /input 'X': it has 4 columns, the frame has 1 \(a\)/,
    ],
    ['a text for a number', { inputs: [['a', 1, 2, 3]] }, /value 0 must be a number that FP32 holds/],
    [
      'a missing value',
      { dataframe_split: { columns, data: [[null, 1, 2, 3]] } },
      /value 0 is NaN; only finite numbers/,
    ],
  ])('refuses %s with the reason, and records it', async (_, body, says) => {
    const response = await invoke(body);
    expect([response.statusCode, json(response)]).toEqual([
      400,
      { error_code: 'BAD_REQUEST', message: expect.stringMatching(says) },
    ]);
  });

  it('answers MLflow’s error codes for what is not there, no JSON, and other types', async () => {
    expect(json(await invoke({ inputs: [] }, 'rose'))).toMatchObject({ error_code: 'RESOURCE_DOES_NOT_EXIST' });
    expect(json(await invoke('{', 'iris-logreg', { 'content-type': 'application/json' }))).toMatchObject({
      error_code: 'BAD_REQUEST',
    });
    const parquet = await invoke('x', 'iris-logreg', { 'content-type': 'application/vnd.apache.parquet' });
    expect([parquet.statusCode, json(parquet)['error_code']]).toEqual([415, 'BAD_REQUEST']);
  });

  it('names the deployment in a header, and asks for it when there are several', async () => {
    const body = { inputs: [flower] };
    const named = await served.post('/invocations', body, { 'millrace-deployment': 'iris-logreg' });
    expect(named.statusCode).toBe(200);
    expect(json(await served.post('/invocations', body))['message']).toMatch(/^3 deployments are served: name one/);
    expect((await served.get('/ping')).statusCode).toBe(200);
  });
});

describe('Seldon v1', () => {
  const predict = (body: unknown) => served.post('/seldon/default/iris-logreg/api/v1.0/predictions', body);
  it.each<[string, object, object]>([
    ['ndarray', { names: columns, ndarray: [flower] }, { ndarray: [close(probabilities)] }],
    [
      'tensor',
      { tensor: { shape: [1, 4], values: flower } },
      { tensor: { shape: [1, 3], values: close(probabilities) } },
    ],
  ])('takes %s, and answers in the same form', async (_, data, answered) => {
    const response = await predict({ meta: {}, data });
    const { meta, data: given } = json(response) as { meta: Record<string, unknown>; data: object };
    expect(response.statusCode).toBe(200);
    expect(given).toEqual({ names: ['t:0', 't:1', 't:2'], ...answered });
    expect(meta).toMatchObject({
      puid: response.headers['millrace-prediction'],
      requestPath: { 'route-1': 'iris-logreg:1' },
    });
  });

  it('keeps the puid of the caller: a repeat gets the same outcome', async () => {
    const body = { meta: { puid: 'mine' }, data: { ndarray: [flower] } };
    const [first, again] = [json(await predict(body)), json(await predict(body))];
    expect(again).toEqual(first);
    expect(first['meta']).toMatchObject({ puid: 'mine', tags: { prediction_id: expect.any(String) } });
  });

  it('gives columns to the inputs of their names', async () => {
    const row = [1, -2, 3];
    const response = await served.post('/seldon/ns/two-in-four-out/api/v0.1/predictions', {
      data: { names: ['a', 'c'], ndarray: [row] },
    });
    expect(json(response)).toMatchObject({
      status: {
        code: 400,
        status: 'FAILURE',
        info: expect.stringMatching(/row 0 must have a value for each of 2 columns/),
      },
    });
  });

  it.each<[string, object, RegExp]>([
    ['strData', { strData: 'x' }, /must have data with tensor or ndarray, got strData/],
    ['both forms', { data: { ndarray: [], tensor: {} } }, /exactly one of tensor/],
    [
      'values that do not fill the shape',
      { data: { tensor: { shape: [1, 4], values: [1] } } },
      /needs 4 values, got 1/,
    ],
    ['a wrong width', { data: { ndarray: [[1]] } }, /input 'X': shape must be \[-1, 4\], got \[1, 1\]/],
  ])('refuses %s with a status of failure', async (_, body, says) => {
    const response = await predict(body);
    expect([response.statusCode, json(response)['status']]).toEqual([
      400,
      { code: 400, info: expect.stringMatching(says), reason: 'INVALID_ARGUMENT', status: 'FAILURE' },
    ]);
  });

  it('takes feedback for the prediction that an answer names: reward, truth as number and as text, of one row and of several', async () => {
    const answer = json(await predict({ meta: { puid: 'fed' }, data: { ndarray: [flower] } }));
    const feedback = (body: object) => served.post('/seldon/default/iris-logreg/api/v1.0/feedback', body);
    for (const truth of [
      { data: { ndarray: [1] } },
      { data: { tensor: { shape: [1, 1], values: [1] } } },
      { data: { ndarray: [['setosa']] } },
    ]) {
      expect(json(await feedback({ response: answer, reward: 0.5, truth }))).toMatchObject({
        meta: { puid: 'fed', tags: { feedback_id: expect.stringMatching(/^[0-9a-f]{32}$/) } },
      });
    }
    for (const truth of [
      { data: { ndarray: [[1], [null], [2]] } },
      { data: { tensor: { shape: [2], values: ['setosa', 'virginica'] } } },
    ])
      expect((await feedback({ response: answer, truth })).statusCode).toBe(200);
    const { runtime } = served.server.test;
    const found: unknown[] = [];
    for (let partition = 0; partition < runtime.partitions('feedback'); partition++) {
      const place = { topic: runtime.topic('feedback'), partition };
      for await (const batch of runtime.parts.log.read(place, { from: 0 })) {
        for (const record of batch) found.push((await runtime.decode('feedback', record)).data);
      }
    }
    const predictionId = (answer['meta'] as { tags: { prediction_id: string } }).tags.prediction_id;
    const none = { truth: null, label: null, reward: null, row: null, truths: [], labels: [], rewards: [] };
    expect(found).toEqual(
      expect.arrayContaining([
        { ...none, predictionId, truth: 1, reward: 0.5 },
        { ...none, predictionId, label: 'setosa', reward: 0.5 },
        { ...none, predictionId, truths: [1, null, 2] },
        { ...none, predictionId, labels: ['setosa', 'virginica'] },
      ]),
    );
    const several = await feedback({ response: answer, reward: 0.5, truth: { data: { ndarray: [1, 2] } } });
    expect(json(several)['message']).toMatch(/must all be one value, or lists of the same length/);
    const wide = await feedback({ response: answer, truth: { data: { ndarray: [[1, 2]] } } });
    expect(json(wide)['message']).toMatch(/one value per row, row 0 has 2/);
    const unknown = await feedback({ response: { meta: { puid: 'nobody' } }, reward: 1 });
    expect([unknown.statusCode, json(unknown)['message']]).toEqual([
      400,
      expect.stringMatching(/predictionId must be/),
    ]);
  });
});

describe('CSV', () => {
  it('reads quotes, line breaks within them, empty fields and a missing last line end', () => {
    expect(parseCsv('\uFEFFa,"b, c"\r\n1,"x ""y""\nz"\n,\n\n2,3')).toEqual({
      columns: ['a', 'b, c'],
      rows: [
        ['1', 'x "y"\nz'],
        ['', ''],
        ['2', '3'],
      ],
    });
  });

  it.each([
    ['', /it is empty/],
    ['a,a\n', /column 'a' is there twice/],
    ['a,b\n1\n', /row 1 has 1 fields, the first line has 2/],
    ['a\n"1', /row 1: a quoted field has no end/],
    ['a\n"1"2', /row 1: '2' behind a quoted field/],
  ])('says what is wrong with %j', (text, says) => {
    expect(() => parseCsv(text)).toThrow(says);
  });
});
