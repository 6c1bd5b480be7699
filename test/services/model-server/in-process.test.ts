import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError, type ModelRuntime } from '../../../runtime/ports/index.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const file = (bias: number, more: object = {}) => Buffer.from(JSON.stringify({ weights: [1, 10], bias, ...more }));
const models = new LinearRuntime();

let fixture: ServerFixture;
beforeAll(async () => {
  fixture = await openServer(models, { runService: false, inFlightMax: 100 });
  await fixture.deploy('linear', file(0.5));
});
afterAll(() => fixture.close());

const body = (row: readonly number[], more: object = {}) => ({
  inputs: [{ name: 'x', datatype: 'FP64', shape: [1, row.length], data: row }],
  ...more,
});

describe('in-process inference', () => {
  it('resolves once the outcome is on the log', async () => {
    const outcome = await fixture.server.infer({ deployment: 'linear', inputs: [tensor([1, 2])], entity: 'e1' });
    expect(outcome).toMatchObject({
      type: 'completed',
      outputs: [{ name: 'y', shape: [1, 1], data: Float64Array.of(21.5) }],
    });
    const found = (await fixture.outcomes()).find(({ data }) => data.predictionId === outcome.predictionId);
    expect(found).toMatchObject({ key: 'e1', data: { entity: 'e1', source: null } });
  });

  it('puts what arrives together into one call, and each outcome on the log', async () => {
    models.calls.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) => fixture.server.infer({ deployment: 'linear', inputs: [tensor([i, 0])] })),
    );
    expect(answers.map((answer) => (answer.type === 'completed' ? answer.outputs[0]!.data[0] : undefined))).toEqual(
      Array.from({ length: 64 }, (_, i) => i + 0.5),
    );
    expect(models.calls).toEqual([64]);
    const ids = new Set((await fixture.outcomes()).map(({ data }) => data.predictionId));
    for (const { predictionId } of answers) expect(ids).toContain(predictionId);
  });

  it('speaks Open Inference Protocol, also of failures', async () => {
    const answer = await fixture.server.inferOpen({ deployment: 'linear', body: body([1, 2], { id: 'mine' }) });
    expect(answer).toMatchObject({
      type: 'completed',
      body: {
        model_name: 'linear',
        model_version: '1',
        id: 'mine',
        parameters: { prediction_id: answer.predictionId, route: 'route-1', model: 'linear', model_version: 1 },
        outputs: [{ name: 'y', datatype: 'FP64', shape: [1, 1], data: [21.5] }],
      },
    });
    const failed = await fixture.server.inferOpen({ deployment: 'linear', body: { inputs: 'x' } });
    expect(failed).toMatchObject({ type: 'failed', code: 'INVALID_ARGUMENT' });
    const deadline = await fixture.server.inferOpen({ deployment: 'linear', body: body([1, 2]), deadline: 'soon' });
    expect(deadline).toMatchObject({
      type: 'failed',
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('deadline'),
    });
    const recorded = (await fixture.outcomes()).map(({ data }) => data.predictionId);
    expect(recorded).toEqual(expect.arrayContaining([failed.predictionId, deadline.predictionId]));
  });

  it('takes ten thousand rows in one call, and no rows, and says which value is no number', async () => {
    models.calls.length = 0;
    const rows = Array.from({ length: 10_000 }, (_, row) => [row, 1]).flat();
    const inputs = [{ name: 'x', datatype: 'FP64', shape: [10_000, 2], data: Float64Array.from(rows) }] as const;
    const many = await fixture.server.infer({ deployment: 'linear', inputs });
    expect(models.calls).toEqual([10_000]);
    const answers = many.type === 'completed' ? many.outputs[0]!.data : [];
    expect([answers.length, answers[0], answers[9_999]]).toEqual([10_000, 10.5, 10_009.5]);
    const none = [{ name: 'x', datatype: 'FP64', shape: [0, 2], data: new Float64Array() }] as const;
    const empty = await fixture.server.infer({ deployment: 'linear', inputs: none });
    expect(empty.type === 'completed' ? empty.data : empty).toMatchObject({ rows: 0, outputs: [{ shape: [0, 1] }] });
    const missing = await fixture.server.infer({ deployment: 'linear', inputs: [tensor([Number.NaN, 1])] });
    expect(missing).toMatchObject({ type: 'failed', data: { message: expect.stringContaining('value 0 is NaN') } });
  });

  it('gives the outputs that were asked for, and refuses others', async () => {
    const ask = (name: string) =>
      fixture.server.inferOpen({ deployment: 'linear', body: body([1, 2], { outputs: [{ name }] }) });
    expect(await ask('y')).toMatchObject({ type: 'completed', body: { outputs: [{ name: 'y' }] } });
    expect(await ask('z')).toMatchObject({
      type: 'failed',
      message: "output 'z': the model has no such output; it has 'y' FP64 [-1, 1]",
    });
  });

  it('gives the stored outcome to a repeated client id, and a conflict to another body', async () => {
    const send = (row: readonly number[]) =>
      fixture.server.inferOpen({ deployment: 'linear', body: body(row, { id: 'once' }), entity: 'e2' });
    const first = await send([1, 1]);
    models.calls.length = 0;
    expect(await send([1, 1])).toEqual(first);
    expect(models.calls).toEqual([]);
    expect(await send([2, 2])).toMatchObject({ type: 'failed', code: 'CONFLICT', predictionId: first.predictionId });
  });

  it('takes a failure that may pass as that of one try: the client id can be tried again, and each id has one outcome', async () => {
    const ask = () =>
      fixture.server.infer({ deployment: 'linear', inputs: [tensor([7, 7])], clientId: 'again', entity: 'stubborn' });
    models.away = true;
    const tries = [await ask(), await ask()];
    models.away = false;
    const answered = await ask();
    expect(tries).toMatchObject([
      { type: 'failed', data: { code: 'UNAVAILABLE', clientId: 'again', route: 'route-1' } },
      { type: 'failed', data: { code: 'UNAVAILABLE', clientId: 'again' } },
    ]);
    expect(answered.type).toBe('completed');
    expect((await ask()).predictionId).toBe(answered.predictionId);
    const logged = (await fixture.outcomes()).filter(({ key }) => key === 'stubborn');
    // Whoever folds drops what has an id that was seen before.
    expect(new Set(logged.map(({ id }) => id)).size).toBe(3);
    expect(new Set(logged.map(({ data }) => data.predictionId)).size).toBe(3);
    expect(logged.filter(({ type }) => type === 'prediction-completed').map(({ data }) => data.predictionId)).toContain(
      answered.predictionId,
    );
  });

  it('hears of a deployment that was made a moment ago, and of its next version', async () => {
    await fixture.deploy('fresh', file(1));
    expect(await fixture.server.inferOpen({ deployment: 'fresh', body: body([0, 0]) })).toMatchObject({
      type: 'completed',
    });
    await fixture.deploy('fresh', file(2));
    const answer = await fixture.server.inferOpen({ deployment: 'fresh', body: body([0, 0]), versionMin: '2' });
    expect(answer).toMatchObject({ body: { model_version: '2', outputs: [{ data: [2] }] } });
  });

  it('turns away what is over its limit', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 130 }, () => fixture.server.infer({ deployment: 'linear', inputs: [tensor([1, 1])] })),
    );
    const refused = all.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(30);
    expect(refused[0]).toMatchObject({ reason: { code: 'OVERLOADED' } });
  });

  it('says what stands in the way of a model', async () => {
    await fixture.deploy('broken', Buffer.from('no model'));
    const answer = await fixture.server.inferOpen({ deployment: 'broken', body: body([1, 1]) });
    expect(answer).toMatchObject({
      type: 'failed',
      code: 'MODEL_REFUSED',
      message: 'models:/broken/1: the file is no linear model',
    });
    await expect(fixture.server.warm('broken')).rejects.toMatchObject({ code: 'MODEL_REFUSED' });
    await expect(fixture.server.describe('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await fixture.server.describe('linear')).toMatchObject({ version: 1, signature: { batch: 'dynamic' } });
  });

  it('fails what a model cannot run, with the reason', async () => {
    await fixture.deploy('cursed', file(0, { failOn: 13 }));
    const answer = await fixture.server.inferOpen({ deployment: 'cursed', body: body([13, 1]) });
    expect(answer).toMatchObject({
      type: 'failed',
      code: 'USER_CODE_FAILED',
      message: 'the model failed: feature 13 is cursed',
    });
  });
});

describe('metrics', () => {
  it('count outcomes by deployment and route, failures by code, and never by what a request made up', async () => {
    const metrics = new Registry();
    const other = await openServer(new LinearRuntime(), { runService: false, metrics });
    await other.deploy('linear', file(0.5));
    for (const deployment of ['linear', 'linear', 'made-up-1', 'made-up-2']) {
      await other.server.inferOpen({ deployment, body: body([1, 1]) });
    }
    const text = await metrics.metrics();
    expect(text).toContain(
      'millrace_predictions_total{deployment="linear",route="route-1",outcome="completed",code=""} 2',
    );
    expect(text).toContain('millrace_predictions_total{deployment="",route="",outcome="failed",code="NOT_FOUND"} 2');
    expect(text).toContain('millrace_prediction_seconds_count{deployment="linear",route="route-1"} 2');
    expect(text).toContain('millrace_loaded_models 1');
    expect(text).not.toContain('made-up');
    await other.close();
  });
});

describe('a corrupt model file', () => {
  it('is found by its hash', async () => {
    const refusing: ModelRuntime = { load: () => Promise.reject(new MillraceError('INTERNAL', 'must not be reached')) };
    const other = await openServer(refusing, { runService: false });
    const [hash] = await other.deploy('linear', file(0.5));
    const { open, writeFile, readdir } = await import('node:fs/promises');
    const found = (await readdir(other.test.directory, { recursive: true })).find((path) =>
      path.includes(hash!.slice(4)),
    );
    const path = `${other.test.directory}/${found}`;
    await (await open(path)).close();
    await writeFile(path, file(0.6));
    const answer = await other.server.inferOpen({ deployment: 'linear', body: body([1, 1]) });
    expect(answer).toMatchObject({ type: 'failed', code: 'CORRUPT' });
    await other.close();
  });
});
