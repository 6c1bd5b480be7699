import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { QualityAssessed } from '../../../schemas/events.ts';
import type { Provenance } from '../../../services/provenance/index.ts';
import { openProvenance } from './open-provenance.ts';

let test: TestRuntime;
let provenance: Provenance;
beforeAll(async () => {
  test = await createTestRuntime();
  const said = [1, 2].map((deploymentVersion) => {
    const data: QualityAssessed = {
      ...{ deployment: 'wine', deploymentVersion, route: 'main', model: 'wine', modelVersion: deploymentVersion },
      ...{ segment: '', window: 0, rows: 10, fromMs: 0, toMs: 100 * deploymentVersion, metrics: [], reward: null },
      ...{ task: 'regression', calibration: [], windowId: '', bounds: [] },
    };
    return { topic: 'quality', type: 'quality-assessed', key: 'wine', id: `q${deploymentVersion}`, data };
  });
  await test.runtime.publish(said as never);
  provenance = await openProvenance(test);
});
afterAll(async () => {
  await provenance.close();
  await test.close();
});

it('quality is that of the newest version with windows, unless another is asked for', async () => {
  const versions = async (asked: { version?: number; until?: number } = {}) =>
    (await provenance.queries.findQuality({ deployment: 'wine', ...asked })).map((one) => one.deploymentVersion);
  expect(await versions()).toEqual([2]);
  expect(await versions({ version: 1 })).toEqual([1]);
  expect(await versions({ until: 150 })).toEqual([1]);
  expect(await versions({ version: 3 })).toEqual([]);
});
