import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import type { PredictionCompleted } from '../../../schemas/events.ts';
import { tensorOfEvent } from '../../../services/model-server/event-tensors.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const models = new URL('../../models/', import.meta.url);
const file = (name: string) => readFile(new URL(`${name}.onnx`, models));

interface Reference {
  readonly cases: readonly {
    readonly inputs: readonly { name: string; dtype: string; shape: number[]; data: (number | string)[] }[];
    /** Absent when the runtime itself refuses the case. */
    readonly outputs?: readonly { name: string; kind: string; shape: number[]; data: (number | string)[] }[];
  }[];
}
const datatypes: Record<string, string> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  int64: 'INT64',
  int32: 'INT32',
  bool: 'BOOL',
  string: 'BYTES',
};

let fixture: ServerFixture;
beforeAll(async () => {
  fixture = await openServer(createOnnxRuntime());
});
afterAll(() => fixture.close());

describe('models from outside', () => {
  it.each([
    'iris-logreg',
    'iris-xgboost',
    'diabetes-forest-regressor',
    'diabetes-multi-output',
    'two-in-four-out',
    'people-column-pipeline-strings',
    'dtype-bool',
    'dtype-float16',
    'dtype-int64',
    'dtype-string-echo',
    'fixed-batch-4',
    'batch-dependent',
    'gives-nan-and-infinity',
  ])('%s answers over HTTP and by topic as its trainer did', async (name) => {
    const reference = JSON.parse(await readFile(new URL(`${name}.json`, models), 'utf8')) as Reference;
    await fixture.deploy(name, await file(name));
    let answers = 0;
    for (const { inputs, outputs } of reference.cases) {
      const body = {
        inputs: inputs.map(({ name: input, dtype, shape, data }) => ({
          name: input,
          shape,
          datatype: datatypes[dtype],
          data,
        })),
      };
      const answer = await fixture.server.inferOpen({ deployment: name, body });
      const finite = inputs.every(({ data }) => !data.includes('NaN') && !data.includes('Infinity'));
      if (outputs === undefined || !finite) {
        expect(answer).toMatchObject({ type: 'failed', code: 'INVALID_ARGUMENT' });
        continue;
      }
      if (answer.type === 'failed') throw new Error(`${answer.code}: ${answer.message}`);
      answers += 1;
      const answered = (answer.body as { outputs: { name: string; shape: number[]; data: unknown[] }[] }).outputs;
      const place = await fixture.request({ key: 'k', value: JSON.stringify(body), deployment: name });
      const streamed = await eventually('the streamed outcome', async () =>
        (await fixture.outcomes()).find(({ data }) => {
          const source = 'source' in data ? data.source : null;
          return source?.partition === place.partition && source.offset === place.offset;
        }),
      );
      expect(streamed.type, JSON.stringify(streamed.data).slice(0, 300)).toBe('prediction-completed');
      const recorded = (streamed.data as PredictionCompleted).outputs;
      const expected = outputs.filter(({ kind }) => kind === 'tensor');
      expect(answered.map((output) => output.name)).toEqual(
        expect.arrayContaining(expected.map((output) => output.name)),
      );
      for (const { name: output, shape, data } of expected) {
        const given = answered.find((candidate) => candidate.name === output)!;
        expect(given.shape).toEqual(shape);
        expectClose(given.data, data, `${name}.${output}`);
        const tensor = tensorOfEvent(recorded.find((candidate) => candidate.name === output)!);
        if (tensor.datatype === 'FP16') continue;
        expectClose(Array.from(tensor.data as ArrayLike<unknown>), data, `${name}.${output}, streamed`);
      }
    }
    expect(answers).toBeGreaterThan(0);
  });
});

describe('models that must not run', () => {
  it.each([
    'refuse-corrupt',
    'refuse-truncated',
    'refuse-external-data',
    'refuse-external-data-traversal',
    'refuse-custom-domain',
    'refuse-unknown-operator',
    'refuse-not-onnx-text',
    'refuse-empty-file',
    'refuse-lying-tensor-size',
  ])('%s is refused with a reason, and its neighbour still answers', async (name) => {
    await fixture.deploy(name, await file(name));
    const body = { inputs: [{ name: 'X', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] }] };
    const refused = await fixture.server.inferOpen({ deployment: name, body });
    expect(refused).toMatchObject({ type: 'failed', code: 'MODEL_REFUSED' });
    const neighbour = await fixture.server.inferOpen({ deployment: 'iris-logreg', body });
    expect(neighbour.type).toBe('completed');
  });
});

function expectClose(given: readonly unknown[], expected: readonly (number | string)[], what: string): void {
  expect(given.length, what).toBe(expected.length);
  for (const [index, value] of expected.entries()) {
    const got = given[index];
    if (typeof value === 'number' && typeof got !== 'boolean') {
      expect(Math.abs(Number(got) - value), `${what}[${index}]: ${String(got)}, not ${value}`).toBeLessThanOrEqual(
        1e-5 + 1e-3 * Math.abs(value),
      );
    } else
      expect(typeof value === 'boolean' ? got : String(got), `${what}[${index}]`).toEqual(
        typeof value === 'boolean' ? value : String(value),
      );
  }
}
