import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Served, serveModels } from './served-models.ts';

let served: Served;
beforeAll(async () => {
  served = await serveModels(['iris-logreg', 'dtype-string-echo', 'people-column-pipeline-strings']);
});
afterAll(() => served.close());

const rows = [5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6, 2.5];
const tensor = (more: object = {}) => ({ name: 'X', datatype: 'FP32', shape: [2, 4], data: rows, ...more });
const floats = (values: readonly number[]) => Buffer.from(Float32Array.from(values).buffer);
const texts = (values: readonly string[]) =>
  Buffer.concat(
    values.flatMap((value) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(value));
      return [length, Buffer.from(value)];
    }),
  );

/** Sends JSON with bytes behind it, and takes such an answer apart. */
async function binary(model: string, json: object, bytes: Buffer, headers: Readonly<Record<string, string>> = {}) {
  const text = Buffer.from(JSON.stringify(json));
  const answer = await served.post(`/v2/models/${model}/infer`, Buffer.concat([text, bytes]), {
    'inference-header-content-length': String(text.length),
    ...headers,
  });
  const length = Number(answer.headers['inference-header-content-length'] ?? answer.rawPayload.length);
  return {
    status: answer.statusCode,
    headers: answer.headers,
    json: JSON.parse(answer.rawPayload.toString('utf8', 0, length)) as Answer,
    bytes: answer.rawPayload.subarray(length),
  };
}

interface Answer {
  readonly error?: string;
  readonly outputs?: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly data?: readonly unknown[];
    readonly parameters?: Readonly<Record<string, unknown>>;
  }[];
}

const infer = async (model: string, body: object) => {
  const answer = await served.post(`/v2/models/${model}/infer`, body);
  return { status: answer.statusCode, json: answer.json<Answer>() };
};

describe('binary tensor data', () => {
  it.each(['application/octet-stream', 'application/json', ''])(
    'is taken behind the JSON and given back, content type "%s"',
    async (type) => {
      const input = { name: 'X', datatype: 'FP32', shape: [2, 4], parameters: { binary_data_size: 32 } };
      const headers = type === '' ? {} : { 'content-type': type };
      const json = { inputs: [input], parameters: { binary_data_output: true } };
      const answer = await binary('iris-logreg', json, floats(rows), headers);
      expect(answer.json.error).toBeUndefined();
      expect(answer.headers['content-type']).toBe('application/octet-stream');
      const plain = await infer('iris-logreg', { inputs: [tensor()] });
      const sizes = answer.json.outputs?.map(({ parameters }) => parameters?.['binary_data_size']);
      expect(sizes).toEqual([16, 24]);
      expect(answer.json.outputs?.every((output) => !('data' in output))).toBe(true);
      const [labels, probabilities] = plain.json.outputs ?? [];
      expect([answer.bytes.readBigInt64LE(0), answer.bytes.readBigInt64LE(8)].map(Number)).toEqual(labels?.data);
      expect(answer.bytes.readFloatLE(16)).toBe(probabilities?.data?.[0]);
    },
  );

  it('mixes with JSON tensors, per output, and carries texts', async () => {
    const words = ['', 'größe ✓', 'zwei'];
    const bytes = texts(words);
    const json = {
      inputs: [{ name: 'x', datatype: 'BYTES', shape: [3], parameters: { binary_data_size: bytes.length } }],
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
    };
    const answer = await binary('dtype-string-echo', json, bytes);
    expect(answer.bytes).toEqual(bytes);
    const asJson = await binary('dtype-string-echo', { inputs: json.inputs }, bytes);
    expect(asJson.json.outputs?.[0]?.data).toEqual(words);
    const some = {
      inputs: [tensor()],
      outputs: [{ name: 'probabilities', parameters: { binary_data: true } }, { name: 'label' }],
    };
    const mixed = await binary('iris-logreg', some, Buffer.alloc(0));
    expect(mixed.json.outputs?.map(({ name, data }) => [name, data?.length])).toEqual([
      ['label', 2],
      ['probabilities', undefined],
    ]);
    expect(mixed.bytes).toHaveLength(24);
  });

  it.each<[string, object, Buffer, string]>([
    [
      'a size that differs from the shape',
      { parameters: { binary_data_size: 16 } },
      floats(rows.slice(4)),
      '8 values of FP32 are 32 bytes, got 16',
    ],
    [
      'bytes that end early',
      { parameters: { binary_data_size: 32 } },
      floats(rows.slice(4)),
      '16 bytes are left behind the JSON',
    ],
    ['bytes that nobody asks for', { data: rows }, floats(rows), '32 bytes behind the JSON belong to no input'],
    ['data twice', { data: rows, parameters: { binary_data_size: 32 } }, floats(rows), "both 'data' and the parameter"],
    ['a size that is none', { parameters: { binary_data_size: 'x' } }, floats(rows), 'must be a whole number of bytes'],
  ])('refuses %s, and says which', async (_, fields, bytes, message) => {
    const input = { name: 'X', datatype: 'FP32', shape: [2, 4], ...fields };
    const answer = await binary('iris-logreg', { inputs: [input] }, bytes);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toContain(message);
  });

  it('refuses texts that end inside of a value, or are no UTF-8, and a length beyond the body', async () => {
    const ask = async (bytes: Buffer) => {
      const input = { name: 'x', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: bytes.length } };
      return (await binary('dtype-string-echo', { inputs: [input] }, bytes)).json.error;
    };
    expect(await ask(Buffer.from([9, 0, 0, 0, 65]))).toContain('end inside of value 0 of 1');
    expect(await ask(Buffer.from([1, 0, 0, 0, 0xff]))).toContain('value 0 must be UTF-8');
    expect(await ask(Buffer.from([0, 0, 0, 0, 7]))).toContain('end after 4 bytes, got 5');
    const { statusCode, body } = await served.post('/v2/models/iris-logreg/infer', Buffer.from('{}'), {
      'inference-header-content-length': '3',
    });
    expect([statusCode, body]).toEqual([400, expect.stringContaining("at most 2 (the body), got '3'")]);
  });
});

describe('content types', () => {
  const people = {
    parameters: { content_type: 'pd' },
    inputs: [
      { name: 'age', datatype: 'INT64', shape: [2], data: [31, 47] },
      { name: 'hours', datatype: 'FP64', shape: [2], data: [40, 20] },
      { name: 'job', datatype: 'BYTES', shape: [2], data: ['nurse', 'clerk'], parameters: { content_type: 'str' } },
      { name: 'city', datatype: 'BYTES', shape: [2, 1], data: ['Berlin', 'Paris'] },
    ],
  };

  it('pd: columns go to the inputs of their names', async () => {
    const frame = await infer('people-column-pipeline-strings', people);
    expect(frame.json.error).toBeUndefined();
    const datatypes = await served.get('/v2/models/people-column-pipeline-strings');
    const { inputs } = datatypes.json<{ inputs: { name: string; datatype: string }[] }>();
    const tensors = people.inputs.map(({ name, data }) => ({
      name,
      data,
      shape: [2, 1],
      datatype: inputs.find((input) => input.name === name)?.datatype,
    }));
    const plain = await infer('people-column-pipeline-strings', { inputs: tensors });
    expect(frame.json.outputs).toEqual(plain.json.outputs);
  });

  it('pd: columns stand side by side for a model with one input', async () => {
    const column = (name: string, index: number) => ({
      name,
      datatype: index === 0 ? 'INT64' : 'FP64',
      shape: [2, 1],
      data: [index === 0 ? 5 : (rows[index] ?? 0), index === 0 ? 6 : (rows[4 + index] ?? 0)],
    });
    const columns = ['sepal length', 'sepal width', 'petal length', 'petal width'].map(column);
    const frame = await infer('iris-logreg', { parameters: { content_type: 'pd' }, inputs: columns });
    const matrix = [5, ...rows.slice(1, 4), 6, ...rows.slice(5)];
    const plain = await infer('iris-logreg', { inputs: [tensor({ data: matrix })] });
    expect(frame.json.outputs).toEqual(plain.json.outputs);
    const short = await infer('iris-logreg', { parameters: { content_type: 'pd' }, inputs: columns.slice(1) });
    expect(short).toMatchObject({
      status: 400,
      json: { error: "input 'X': it has 4 columns, the frame has 3 (sepal width, petal length, petal width)" },
    });
  });

  it('base64 and datetime are decoded or checked, and given back as asked', async () => {
    const echo = async (content: string, data: readonly string[], outputs?: readonly object[]) => {
      const input = { name: 'x', datatype: 'BYTES', shape: [data.length], data, parameters: { content_type: content } };
      return (await infer('dtype-string-echo', { inputs: [input], ...(outputs && { outputs }) })).json;
    };
    expect((await echo('base64', ['Z3LDtsOfZQ=='])).outputs?.[0]?.data).toEqual(['größe']);
    const back = await echo('base64', ['aGk='], [{ name: 'y', parameters: { content_type: 'base64' } }]);
    expect(back.outputs?.[0]).toMatchObject({ data: ['aGk='], parameters: { content_type: 'base64' } });
    expect((await echo('datetime', ['2021-08-24T15:01:34Z'])).outputs?.[0]?.data).toEqual(['2021-08-24T15:01:34Z']);
    expect((await echo('datetime', ['yesterday'])).error).toContain('value 0 must be a time in ISO 8601');
    expect((await echo('base64', ['not base64!'])).error).toContain('value 0 must be base64');
    expect((await echo('base64', ['/w=='])).error).toContain('value 0 must be UTF-8');
    expect((await echo('hg_json', ['x'])).error).toContain('content_type must be one of np, str, base64, datetime');
    const numbers = await infer('iris-logreg', { inputs: [tensor({ parameters: { content_type: 'str' } })] });
    expect(numbers.json.error).toBe("input 'X': content_type str needs datatype BYTES, got FP32");
  });
});

describe('the model repository', () => {
  it('lists, unloads and loads what is in memory, and leaves operations', async () => {
    await served.get('/v2/models/dtype-string-echo/ready');
    const state = async () =>
      (await served.post('/v2/repository/index', {}))
        .json<{ name: string }[]>()
        .find(({ name }) => name === 'dtype-string-echo');
    expect(await state()).toEqual({ name: 'dtype-string-echo', version: '1', state: 'READY', reason: '' });
    expect((await served.post('/v2/repository/models/dtype-string-echo/unload', {})).statusCode).toBe(200);
    expect(await state()).toMatchObject({ state: 'UNAVAILABLE', reason: 'not in memory: the next request loads it' });
    const ready = (await served.post('/v2/repository/index', { ready: true })).json<{ name: string }[]>();
    expect(ready.map(({ name }) => name)).not.toContain('dtype-string-echo');
    const before = served.loads();
    expect((await served.post('/v2/repository/models/dtype-string-echo/load', {})).statusCode).toBe(200);
    expect(served.loads()).toBe(before + 1);
    expect(await state()).toMatchObject({ state: 'READY' });
    expect((await served.post('/v2/repository/models/nowhere/load', {})).statusCode).toBe(404);
  });
});

describe('answers of the protocol', () => {
  it.each([
    ['/v2/models/nowhere', 404],
    ['/v2/models/nowhere/ready', 404],
    ['/v2/models/iris-logreg/versions/2/ready', 404],
    ['/v2/models/iris-logreg/versions/1/ready', 200],
  ])('GET %s is %i with a JSON body', async (url, status) => {
    const answer = await served.get(url);
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject(
      status === 200 ? { name: 'iris-logreg', ready: true } : { error: expect.any(String) },
    );
  });

  it('say which tensor, what was expected and what came, before the model runs', async () => {
    const error = async (more: object) => (await infer('iris-logreg', { inputs: [tensor(more)] })).json.error;
    expect(await error({ datatype: 'FP64' })).toBe("input 'X': datatype must be FP32, got FP64");
    expect(await error({ shape: [4, 2] })).toBe("input 'X': shape must be [-1, 4], got [4, 2]");
    expect(await error({ name: 'Y' })).toBe("input 'Y': the model has no such input; it has 'X' FP32 [-1, 4]");
    expect(await error({ data: ['NaN', ...rows.slice(1)] })).toContain("input 'X': value 0 is NaN");
  });

  it('a model that cannot be loaded is not ready, and says why', async () => {
    await served.server.deploy('broken', Buffer.from('no model'));
    const answer = await served.get('/v2/models/broken/ready');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({
      name: 'broken',
      ready: false,
      error: expect.stringContaining('models:/broken/1'),
    });
  });
});
