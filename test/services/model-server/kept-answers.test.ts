/** What a deployment may ask for beside its routes: answers that are kept, and inputs that are not recorded. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { PredictionCompleted } from '../../../schemas/events.ts';
import { isRecorded } from '../../../schemas/serving-settings.ts';
import { tensorValues } from '../../../topologies/tensor-values.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const models = new LinearRuntime();
const explainers = [{ method: 'auto', share: 1 }] as const;
let fixture: ServerFixture;
let hash: string;
beforeAll(async () => {
  fixture = await openServer(models, { runService: false });
  const file = Buffer.from(JSON.stringify({ weights: [1, 10], bias: 0.5 }));
  hash = (await fixture.test.runtime.parts.blobs.put(file)).hash;
});
afterAll(() => fixture.close());

const apply = (name: string, more: Partial<DeploymentDocument>): Promise<void> =>
  fixture.apply({
    name,
    routes: [{ name: 'main', model: 'm', modelVersion: 1, artifactHash: hash, weight: 1 }],
    features: [],
    feedback: { windowMs: 1_000, reward: 'equal' },
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
    ...more,
  });

async function predict(name: string, row: readonly number[], versionMin = 1): Promise<PredictionCompleted> {
  const outcome = await fixture.server.infer({ deployment: name, inputs: [tensor(row)], versionMin });
  if (outcome.type !== 'completed') throw new Error(JSON.stringify(outcome));
  return outcome.data;
}

describe('answers that are kept', () => {
  it('are given to equal inputs without asking the model, each as a prediction of its own', async () => {
    await apply('kept', { cache: { entries: 2, ttlMs: 60_000 } });
    models.calls.length = 0;
    const first = await predict('kept', [1, 2]);
    const second = await predict('kept', [1, 2]);
    expect(models.calls).toEqual([1]);
    expect([first.cached, second.cached]).toEqual([false, true]);
    expect(second.outputs).toEqual(first.outputs);
    expect(second.predictionId).not.toBe(first.predictionId);
    // Two at most: those that were unused for longest go.
    await predict('kept', [2, 2]);
    await predict('kept', [3, 2]);
    expect((await predict('kept', [1, 2])).cached).toBe(false);
    expect((await predict('kept', [3, 2])).cached).toBe(true);
  });

  it('are of one version, for so long, and of no deployment that does not ask for it', async () => {
    await apply('aged', { cache: { entries: 10, ttlMs: 1 } });
    await predict('aged', [1, 2]);
    const { clock } = fixture.test.runtime.parts;
    await new Promise<void>((resolve) => clock.after(5, resolve));
    expect((await predict('aged', [1, 2])).cached).toBe(false);
    await apply('kept', { cache: { entries: 2, ttlMs: 60_000 } });
    expect((await predict('kept', [3, 2], 2)).cached).toBe(false);
    await apply('plain', {});
    await predict('plain', [1, 2]);
    expect((await predict('plain', [1, 2])).cached).toBe(false);
  });
});

describe('inputs that are not recorded', () => {
  it('are left out by tensor or column, while the answer is that to all of them', async () => {
    await apply('narrow', { payloads: { redact: ['x[0]'] } });
    const narrow = await predict('narrow', [1, 2]);
    expect(tensorValues(narrow.inputs[0]!)).toEqual([Number.NaN, 2]);
    expect(tensorValues(narrow.outputs[0]!)).toEqual([21.5]);
    expect(narrow.withheld).toBe(true);
    await apply('blank', { payloads: { redact: ['x'] } });
    expect(await predict('blank', [1, 2])).toMatchObject({ inputs: [], withheld: true });
    await apply('open', { payloads: { redact: ['y'] } });
    expect((await predict('open', [1, 2])).inputs).toHaveLength(1);
    const logged = (await fixture.outcomes()).filter(
      ({ type, data }) => type === 'prediction-completed' && data.deployment === 'blank',
    );
    expect(logged).toMatchObject([{ data: { inputs: [] } }]);
  });

  it('are those of a share of the predictions, which monitors and explainers then do not see', async () => {
    await apply('sampled', {
      payloads: { share: 0.5 },
      monitors: { referenceHash: hash, window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
      explainers,
    });
    const all: PredictionCompleted[] = [];
    for (let n = 0; n < 40; n++) all.push(await predict('sampled', [n, 1]));
    for (const { predictionId, inputs, withheld, terms } of all) {
      const recorded = isRecorded(predictionId, 0.5);
      expect({ inputs: inputs.length, withheld }).toEqual({ inputs: recorded ? 1 : 0, withheld: !recorded });
      expect({ rows: terms.windowRows, explainers: terms.explainers.length }).toEqual(
        recorded ? { rows: 10, explainers: 1 } : { rows: 0, explainers: 0 },
      );
    }
    expect(new Set(all.map(({ withheld }) => withheld))).toEqual(new Set([true, false]));
  });
});
