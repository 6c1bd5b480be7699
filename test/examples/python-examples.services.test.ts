import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import irisDeployment from '../../examples/iris/deployment.ts';
import irisPipeline from '../../examples/iris/pipeline.ts';
import { bundleDeployment } from '../../runtime/adapters/bundler/bundle-code.ts';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { bundleProject } from '../../runtime/adapters/bundler/bundle-project.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { decodeArtifact } from '../../schemas/codec/artifact-value.ts';
import type { NdArray } from '../../schemas/codec/npy.ts';
import { openPythonPlatform, type PythonPlatform, type RunOutcome } from './python-platform.ts';

const examples = join(import.meta.dirname, '../../examples');
let platform: PythonPlatform;

beforeAll(async () => {
  platform = await openPythonPlatform();
});

afterAll(async () => await platform?.close());

const json = async (run: RunOutcome, name: string): Promise<unknown> => decodeArtifact('json', await run.bytes(name));

describe('wine quality, an MLproject with an ElasticNet', () => {
  it.each([
    { alpha: '0.1', rmse: 0.7792546522251949, mae: 0.6112547988118587, r2: 0.2157063843066196 },
    { alpha: '1', rmse: 0.8107373707184711, mae: 0.6241295925236751, r2: 0.15105362812007328 },
  ])('gives the published figures for alpha $alpha', { timeout: 480_000 }, async ({ alpha, rmse, mae, r2 }) => {
    const { parameters, ...bundle } = await bundleProject(join(examples, 'wine'), { parameters: { alpha } });
    const run = await platform.run(bundle, parameters);
    expect(run.failure).toBeNull();
    const metrics = (await json(run, 'metrics')) as Record<string, number>;
    for (const [name, published] of Object.entries({ rmse, mae, r2 }))
      expect(Math.abs((metrics[name] ?? Number.NaN) - published), name).toBeLessThan(1e-5);
    expect(await json(run, 'params')).toEqual({ alpha: Number(alpha), l1_ratio: 0.1 });
    expect((await run.bytes('environment_lock')).toString('utf8')).toMatch(
      /^# python 3\.11\.\d+ linux .*\n[^]*scikit-learn==1\.9\.1 /,
    );
    await eventually('the model is registered', async () => {
      const shown = await platform.client.models.show('wine').catch(() => undefined);
      return shown?.versions.some(({ tags }) => Number(tags['alpha']) === Number(alpha));
    });
  });
});

describe('irises, by scikit-learn and XGBoost', () => {
  it('trains both, registers what agrees with Python, and serves both', { timeout: 580_000 }, async () => {
    const run = await platform.run(await bundleFlow(join(examples, 'iris/flow.ts')));
    expect(run.failure).toBeNull();
    const accuracy = (await json(run, 'accuracy')) as Record<'logistic' | 'trees', number>;
    expect(Math.min(accuracy.logistic, accuracy.trees)).toBeGreaterThan(0.9);
    expect(await json(run, 'species')).toEqual(['setosa', 'versicolor', 'virginica']);
    const { client } = platform;
    const shown = await eventually('both are registered', async () => {
      const model = await client.models.show('iris').catch(() => undefined);
      return model !== undefined && 'logistic' in model.aliases && 'trees' in model.aliases ? model : undefined;
    });
    for (const { metrics } of shown.versions) expect(metrics['onnx_difference']).toBeLessThan(1e-5);
    await client.deploy(irisDeployment);
    const rows = decodeArtifact('npy', await run.bytes('test_rows')) as NdArray;
    const expected = (await json(run, 'expected')) as Record<string, readonly number[]>;
    const answered = new Set<string>();
    for (let row = 0; row < (rows.shape[0] ?? 0); row++) {
      const values = [...rows.data.subarray(4 * row, 4 * row + 4)].map(Number);
      const { route, outputs } = await client.predict('iris', { rows: [values] }, { entity: `flower-${row}` });
      const probabilities = (outputs.find(({ name }) => name === 'probabilities')?.data ?? []).flat() as number[];
      expect(probabilities).toHaveLength(3);
      probabilities.forEach((probability, species) => {
        expect(Math.abs(probability - (expected[route]?.[3 * row + species] ?? Number.NaN))).toBeLessThan(1e-5);
      });
      answered.add(route);
    }
    expect([...answered].sort()).toEqual(['logistic', 'trees']);
    // Custom logic over both: whichever decides, its probabilities are the answer.
    const code = await bundleDeployment(join(examples, 'iris/pipeline.ts'));
    await client.deploy({ spec: irisPipeline.spec(), code });
    const deciders = new Set<unknown>();
    for (let row = 0; row < (rows.shape[0] ?? 0); row++) {
      const values = [...rows.data.subarray(4 * row, 4 * row + 4)].map(Number);
      const flower = { name: 'rows', datatype: 'FP32', shape: [1, 4], data: values };
      const { outputs } = await client.predict('iris-pipeline', { inputs: [flower] }, { entity: `flower-${row}` });
      const output = (name: string): unknown[] => (outputs.find((tensor) => tensor.name === name)?.data ?? []).flat();
      const [decider] = output('decided_by');
      const species = 3 * row;
      const logistic = expected['logistic']?.slice(species, species + 3) ?? [];
      const decided = (logistic[0] ?? 0) > 0.5 ? logistic : (expected['trees']?.slice(species, species + 3) ?? []);
      expect(decider).toBe(decided === logistic ? 'logistic' : 'trees');
      output('probabilities').forEach((probability, index) => {
        expect(Math.abs(Number(probability) - (decided[index] ?? Number.NaN))).toBeLessThan(1e-5);
      });
      deciders.add(decider);
    }
    expect([...deciders].sort()).toEqual(['logistic', 'trees']);
  });
});
