/** A model server that ends, or loses a partition, in the middle of a long batch. */
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { fixedBatches } from '../../../services/model-server/batch-policy.ts';
import { LinearRuntime } from './linear-runtime.ts';
import { openServer } from './server-fixture.ts';

describe('a partition that is given back', () => {
  it('waits for the call that has begun and begins no other; what is left is answered by who reads it next, once', async () => {
    const requests = 20;
    const models = new LinearRuntime();
    const fixture = await openServer(models, { runService: false, batches: () => fixedBatches(1) });
    const { runtime } = fixture.test;
    await fixture.deploy('linear', Buffer.from(JSON.stringify({ weights: [1, 10], bias: 0 })));
    const value = (id: string) =>
      JSON.stringify({ id, inputs: [{ name: 'x', datatype: 'FP64', shape: [1, 2], data: [1, 2] }] });
    for (let index = 0; index < requests; index++)
      await fixture.request({ key: 'one', value: value(`r${index}`), deployment: 'linear' });
    let open = (): void => undefined;
    models.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = await runtime.runService(fixture.server.service);
    await eventually('a call has begun', () => models.begun > 0);
    const closing = first.close();
    open();
    await closing;
    // What was taken with it may have been the first record alone, which then has its outcome.
    expect(models.begun).toBe(1);
    expect((await fixture.outcomes()).length).toBeLessThanOrEqual(1);
    await runtime.runService(fixture.server.service);
    const outcomes = await fixture.outcomesOf(requests);
    expect(outcomes.map(({ type }) => type)).toEqual(Array.from(outcomes, () => 'prediction-completed'));
    expect(new Set(outcomes.map(({ data }) => data.predictionId)).size).toBe(requests);
    expect(outcomes).toHaveLength(requests);
    await fixture.close();
  });
});
