import { describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createModelServer } from '../../../services/model-server/model-server.ts';
import { LinearRuntime } from './linear-runtime.ts';
import { openServer } from './server-fixture.ts';

describe('a model server that died before it noted its position', () => {
  it('says every outcome again under the same id, with the same answer, and no other', async () => {
    const models = new LinearRuntime();
    const fixture = await openServer(models);
    await fixture.deploy('linear', ...[0, 100].map((bias) => Buffer.from(JSON.stringify({ weights: [1, 1], bias }))));
    const body = (i: number) =>
      JSON.stringify({
        inputs: [
          { name: 'x', datatype: 'FP64', shape: [1, i % 7 === 0 ? 1 : 2], data: [i, 0].slice(0, i % 7 === 0 ? 1 : 2) },
        ],
      });
    for (let i = 0; i < 40; i++) await fixture.request({ key: `e${i}`, value: body(i), deployment: 'linear' });
    const first = await fixture.outcomesOf(40);

    const runtime = await fixture.test.restart();
    for (const task of await runtime.parts.state.tasks()) {
      if (task.startsWith('model-server/')) await runtime.parts.state.reset(task);
    }
    const again = await createModelServer({ runtime, models });
    await runtime.runService(again.service);
    const all = await eventually('all of them twice', async () => {
      const found = [];
      for (let partition = 0; partition < runtime.partitions('predictions'); partition++) {
        const place = { topic: runtime.topic('predictions'), partition };
        for await (const batch of runtime.parts.log.read(place, { from: 0 })) {
          for (const record of batch) found.push(await runtime.decode('predictions', record));
        }
      }
      return found.length >= 80 ? found : undefined;
    });
    const byId = new Map<string, unknown[]>();
    for (const { id, type, data, partition, key } of all) {
      const { queueMs: _, runMs: __, ...said } = data as unknown as Record<string, unknown>;
      byId.set(id, [...(byId.get(id) ?? []), { type, partition, key, said }]);
    }
    expect(byId.size).toBe(40);
    expect([...byId.keys()].sort()).toEqual(first.map(({ id }) => id).sort());
    for (const [once, twice, ...more] of byId.values()) {
      expect(twice).toEqual(once);
      expect(more).toEqual([]);
    }
    expect(first.filter(({ type }) => type === 'prediction-failed')).toHaveLength(6);
    await runtime.close();
    await again.close();
    await fixture.close();
  });
});
