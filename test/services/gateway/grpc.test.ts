import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallName, wireService } from '../../../runtime/adapters/open-inference/wire.ts';
import { type Served, serveModels } from './served-models.ts';

let served: Served;
let client: Client;
let address = '';
beforeAll(async () => {
  served = await serveModels(['iris-logreg', 'dtype-string-echo', 'dtype-float16', 'dtype-int64', 'dtype-bool'], {
    grpcPort: 0,
    token: 'secret',
    bodyBytesMax: 100_000,
  });
  address = (await served.gateway.listen()).grpc ?? '';
  client = new Client(address, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await served.close();
});

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly string[];
  readonly contents?: Readonly<Record<string, readonly unknown[]>>;
}
interface Answer {
  readonly id: string;
  readonly model_version: string;
  readonly parameters: Readonly<Record<string, { string_param?: string }>>;
  readonly outputs: readonly Tensor[];
  readonly raw_output_contents: readonly Buffer[];
}

function call<T>(name: CallName, request: object, options: { deadline?: number; token?: string } = {}): Promise<T> {
  const { path, requestSerialize, responseDeserialize } = wireService[name];
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${options.token ?? 'secret'}`);
  metadata.set('millrace-entity', 'someone');
  return new Promise((resolve, reject) => {
    const more = options.deadline === undefined ? {} : { deadline: options.deadline };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, more, (error, value) =>
      error === null ? resolve(value as T) : reject(error as Error),
    );
  });
}

const failure = async (name: CallName, request: object, options?: { deadline?: number; token?: string }) => {
  const error = await call(name, request, options).then(
    () => undefined,
    (caught: unknown) => caught as ServiceError,
  );
  return { code: error?.code, details: error?.details, metadata: error?.metadata.getMap() };
};

const rows = [5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6, 2.5];
const iris = { name: 'X', datatype: 'FP32', shape: [2, 4], contents: { fp32_contents: rows } };
const request = (more: object) => ({ model_name: 'iris-logreg', inputs: [iris], ...more });

describe('Open Inference Protocol over gRPC', () => {
  it('says what the server and its models are', async () => {
    expect(await call('ServerLive', {}, { token: 'none' })).toEqual({ live: true });
    expect(await call('ServerReady', {}, { token: 'none' })).toEqual({ ready: true });
    expect(await call('ServerMetadata', {})).toMatchObject({
      name: 'millrace',
      extensions: ['model_repository', 'parameters'],
    });
    expect(await call('ModelReady', { name: 'iris-logreg', version: '1' })).toEqual({ ready: true });
    expect(await call('ModelMetadata', { name: 'iris-logreg' })).toMatchObject({
      versions: ['1'],
      inputs: [{ name: 'X', datatype: 'FP32', shape: ['-1', '4'] }],
    });
    expect(await failure('ModelReady', { name: 'iris-logreg', version: '7' })).toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  it('answers typed contents with typed ones, raw with raw, and both as HTTP does', async () => {
    const typed = await call<Answer>('ModelInfer', request({ id: 'mine' }));
    expect(typed).toMatchObject({ id: 'mine', model_version: '1', raw_output_contents: [] });
    const plain = await served.post(
      '/v2/models/iris-logreg/infer',
      { inputs: [{ name: 'X', datatype: 'FP32', shape: [2, 4], data: rows }] },
      { authorization: 'Bearer secret' },
    );
    const [labels, probabilities] = plain.json<{ outputs: { data: number[] }[] }>().outputs;
    expect(typed.outputs[0]?.contents?.['int64_contents']).toEqual(labels?.data.map(String));
    expect(typed.outputs[1]?.contents?.['fp32_contents']).toEqual(probabilities?.data);
    const raw = await call<Answer>(
      'ModelInfer',
      request({
        inputs: [{ name: 'X', datatype: 'FP32', shape: [2, 4] }],
        raw_input_contents: [Buffer.from(Float32Array.from(rows).buffer)],
      }),
    );
    expect(raw.raw_output_contents.map(({ length }) => length)).toEqual([16, 24]);
    expect(raw.raw_output_contents[1]?.readFloatLE(0)).toBe(probabilities?.data[0]);
    const recorded = (await served.server.outcomes()).find(
      ({ data }) => data.predictionId === typed.parameters['prediction_id']?.string_param,
    );
    expect(recorded).toMatchObject({ type: 'prediction-completed', key: 'someone', data: { clientId: 'mine' } });
  });

  it.each<[string, string, Readonly<Record<string, readonly unknown[]>>, readonly number[]]>([
    ['dtype-string-echo', 'BYTES', { bytes_contents: [Buffer.from('größe'), Buffer.from('')] }, [2]],
    ['dtype-int64', 'INT64', { int64_contents: ['9007199254740993', '-2', '3', '4'] }, [1, 4]],
    ['dtype-bool', 'BOOL', { bool_contents: [true, false, true, false, true, false] }, [2, 3]],
  ])('carries %s of %s', async (model, datatype, contents, shape) => {
    const answer = await call<Answer>('ModelInfer', {
      model_name: model,
      inputs: [{ name: 'x', datatype, shape, contents }],
    });
    expect(answer.outputs[0]?.shape).toEqual(shape.map(String));
    const [values] = Object.values(answer.outputs[0]?.contents ?? {}).filter(({ length }) => length > 0);
    expect(values).toHaveLength(shape.reduce((a, b) => a * b));
    if (model === 'dtype-string-echo') expect(values).toEqual(contents['bytes_contents']);
  });

  it('carries half-precision numbers, which have raw contents only', async () => {
    const x = { name: 'x', datatype: 'FP16', shape: [1, 4] };
    const halves = Buffer.from(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400).buffer);
    const answer = await call<Answer>('ModelInfer', {
      model_name: 'dtype-float16',
      inputs: [x],
      raw_input_contents: [halves],
    });
    expect(answer.raw_output_contents[0]).toHaveLength(8);
    expect(
      await failure('ModelInfer', {
        model_name: 'dtype-float16',
        inputs: [{ ...x, contents: { fp32_contents: [1, 2, 3, 4] } }],
      }),
    ).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: "input 'x': FP16 has no typed contents; send raw_input_contents",
    });
  });

  it.each<[string, object, number, string]>([
    ['an unknown model', { model_name: 'nowhere' }, status.NOT_FOUND, "there is no deployment 'nowhere'"],
    [
      'a wrong datatype',
      { inputs: [{ ...iris, datatype: 'FP64', contents: { fp64_contents: rows } }] },
      status.INVALID_ARGUMENT,
      "input 'X': datatype must be FP32, got FP64",
    ],
    [
      'contents of another field',
      { inputs: [{ ...iris, contents: { fp64_contents: rows } }] },
      status.INVALID_ARGUMENT,
      'FP32 is in contents.fp32_contents, got contents.fp64_contents',
    ],
    [
      'raw and typed together',
      { raw_input_contents: [Buffer.alloc(32)] },
      status.INVALID_ARGUMENT,
      'it has typed contents, and the request raw_input_contents too',
    ],
    [
      'too few raw contents',
      { inputs: [iris, iris], raw_input_contents: [Buffer.alloc(32)] },
      status.INVALID_ARGUMENT,
      'raw_input_contents has 1 entries for 2 inputs',
    ],
  ])('%s is a status code, and an outcome', async (_, more, code, details) => {
    const failed = await failure('ModelInfer', request(more));
    expect(failed).toMatchObject({ code, details: expect.stringContaining(details) });
    const predictionId = failed.metadata?.['millrace-prediction'];
    const outcome = (await served.server.outcomes()).find(({ data }) => data.predictionId === predictionId);
    expect(outcome?.type).toBe('prediction-failed');
  });

  it('keeps deadlines, sizes and the token', async () => {
    expect(await failure('ModelInfer', request({}), { deadline: Date.now() - 1 })).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    const large = {
      inputs: [{ name: 'X', datatype: 'FP32', shape: [30_000, 4] }],
      raw_input_contents: [Buffer.alloc(480_000)],
    };
    expect(await failure('ModelInfer', request(large))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(await failure('ModelInfer', request({}), { token: 'wrong' })).toMatchObject({
      code: status.UNAUTHENTICATED,
    });
  });

  it('lists, loads and unloads like HTTP', async () => {
    expect(await call('RepositoryModelUnload', { model_name: 'iris-logreg' })).toEqual({});
    const index = async () => (await call<{ models: { name: string; state: string }[] }>('RepositoryIndex', {})).models;
    expect(await index()).toContainEqual(expect.objectContaining({ name: 'iris-logreg', state: 'UNAVAILABLE' }));
    expect(await call('RepositoryModelLoad', { model_name: 'iris-logreg' })).toEqual({});
    expect(await index()).toContainEqual(expect.objectContaining({ name: 'iris-logreg', state: 'READY' }));
    expect(await failure('RepositoryModelLoad', { model_name: 'nowhere' })).toMatchObject({ code: status.NOT_FOUND });
    expect(await served.metrics()).toContain('grpc_method="ModelInfer",grpc_code="OK"');
  });
});
