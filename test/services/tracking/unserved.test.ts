import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

let fixture: TrackingFixture;
beforeAll(async () => {
  fixture = await openTracking({ decisionTimeoutMs: 60_000 }, []);
});
afterAll(() => fixture.close());

it('where nobody makes experiments, lists are answered soon, and what is asked for is not there', async () => {
  const before = performance.now();
  expect(await fixture.get('experiments/search')).toEqual({ status: 200, body: {} });
  expect((await fixture.get('runs/get', { run_id: 'f'.repeat(32) })).status).toBe(404);
  expect((await fixture.get('experiments/get-by-name', { experiment_name: 'wine' })).status).toBe(404);
  expect(performance.now() - before).toBeLessThan(30_000);
});
