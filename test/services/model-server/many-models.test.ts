/** More models than fit: each is loaded by its request, and the one that was unused for longest makes room. */
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const count = 200;
const fitting = 50;
const linear = new LinearRuntime();
const metrics = new Registry();
let fixture: ServerFixture;
beforeAll(async () => {
  fixture = await openServer(linear, { runService: false, metrics, sessionsMax: fitting });
  const { runtime } = fixture.test;
  const events = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const name = `model-${index}`;
      const { hash } = await runtime.parts.blobs.put(Buffer.from(JSON.stringify({ weights: [1], bias: index })));
      const document = JSON.stringify({
        name,
        routes: [{ name: 'main', model: name, modelVersion: 1, artifactHash: hash, weight: 1 }],
        features: [],
        feedback: { windowMs: 1_000, reward: 'equal' },
        monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
      });
      const data = { deployment: name, requestId: name, document, actor: 'test' };
      return { topic: 'deployment-events', type: 'deploy-requested', data, key: name, id: name } as const;
    }),
  );
  await runtime.publish(events);
  await eventually('all deployments', () => fixture.server.deployments().length === count);
});
afterAll(() => fixture.close());

const ask = async (index: number): Promise<unknown> => {
  const outcome = await fixture.server.infer({ deployment: `model-${index}`, inputs: [tensor([1])] });
  return outcome.type === 'completed' ? outcome.outputs[0]?.data[0] : outcome;
};
const series = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await metrics.metrics())?.[1]);

describe(`${count} models where ${fitting} fit`, () => {
  it('are all served, none loaded before it is asked, and never more in memory than fit', async () => {
    expect(linear.loads).toBe(0);
    for (let index = 0; index < count; index++) {
      expect(await ask(index)).toBe(index + 1);
      expect(linear.open).toBeLessThanOrEqual(fitting);
    }
    expect(await ask(count - 1)).toBe(count);
    expect(linear.loads).toBe(count);
    expect(await ask(0)).toBe(1);
    expect(linear.loads).toBe(count + 1);
  });

  it('are served all at once too: what is in use is not closed', async () => {
    const answers = await Promise.all(Array.from({ length: count }, (_, index) => ask(index)));
    expect(answers).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    await eventually('room to be made', () => linear.open <= fitting);
  });

  it('are counted under the names that Seldon Core 2 and MLServer have', async () => {
    expect(await series('seldon_loaded_model_gauge')).toBe(fitting);
    expect(await series('seldon_load_model_counter')).toBe(linear.loads);
    expect(await series('seldon_cache_evict_count')).toBe(linear.loads - fitting);
    expect(await series('seldon_cache_miss_count')).toBeGreaterThanOrEqual(linear.loads);
    expect(await series('seldon_loaded_model_memory_bytes_gauge')).toBe(fixture.server.stats().loadedModelBytes);
    await fixture.server.infer({ deployment: 'model-7', inputs: [] });
    const text = await metrics.metrics();
    for (const line of [
      'model_infer_request_success{model="model-7"} 2',
      'model_infer_request_failure{model="model-7"} 1',
      'seldon_model_infer_total{model="model-7",code="200"} 2',
      'seldon_model_infer_total{model="model-7",code="400"} 1',
      'seldon_model_infer_api_seconds_count{model="model-7"} 2',
    ])
      expect(text).toContain(line);
    expect(text).toMatch(/^batch_request_queue_count \d+$/m);
  });
});
