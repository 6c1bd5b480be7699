/** What a deployment allows itself: requests at once, requests that wait, requests a second, and time. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import { deploymentProblems } from '../../../schemas/deployment-problems.ts';
import type { LimitSettings } from '../../../schemas/serving-settings.ts';
import { DeploymentLimits } from '../../../services/model-server/deployment-limits.ts';
import { createHandClock } from '../../conformance/log/embedded-harness.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const models = new LinearRuntime();
let fixture: ServerFixture;
let hash: string;
let open: () => void;
beforeAll(async () => {
  fixture = await openServer(models, { callsMax: 10 });
  const file = Buffer.from(JSON.stringify({ weights: [1, 10], bias: 0, batch: 1 }));
  hash = (await fixture.test.runtime.parts.blobs.put(file)).hash;
});
afterAll(() => fixture.close());
beforeEach(() => {
  models.gate = new Promise((resolve) => {
    open = resolve;
  });
});

const documentOf = (name: string, limits: LimitSettings): DeploymentDocument => ({
  name,
  routes: [{ name: 'main', model: 'm', modelVersion: 1, artifactHash: hash, weight: 1 }],
  features: [],
  feedback: { windowMs: 1_000, reward: 'equal' },
  monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
  limits,
});
const ask = (deployment: string, more: object = {}) =>
  fixture.server.infer({ deployment, inputs: [tensor([1, 2])], ...more });
const send = (deployment: string, key: string) => {
  const inputs = [{ name: 'x', datatype: 'FP64', shape: [1, 2], data: [1, 2] }];
  return fixture.request({ key, deployment, value: JSON.stringify({ inputs }) });
};
const counts = (name: string) => fixture.server.stats().limited.find(({ deployment }) => deployment === name);
const outcomesBy = async (key: string) => (await fixture.outcomes()).filter((outcome) => outcome.key === key);

describe('concurrency', () => {
  it('lets so many run and so many wait; more calls are turned away, and what came by topic waits', async () => {
    await fixture.apply(documentOf('narrow', { concurrency: 2, queue: 1 }));
    const { begun } = models;
    const running = [ask('narrow'), ask('narrow')];
    await eventually('two run', () => models.begun === begun + 2);
    const waiting = ask('narrow');
    await expect(ask('narrow', { entity: 'refused' })).rejects.toMatchObject({
      code: 'OVERLOADED',
      message: expect.stringContaining("2 requests of deployment 'narrow' run and 1 wait") as string,
    });
    for (let index = 0; index < 3; index++) await send('narrow', 'streamed');
    await eventually('those of the topic wait', () => counts('narrow')?.waiting === 4);
    expect(models.begun).toBe(begun + 2);
    open();
    const answered = await Promise.all([...running, waiting]);
    expect(answered.map(({ type }) => type)).toEqual(['completed', 'completed', 'completed']);
    const streamed = await eventually('the topic is answered', async () => {
      const found = await outcomesBy('streamed');
      return found.length === 3 ? found : undefined;
    });
    expect(streamed.map(({ type }) => type)).toEqual(Array.from(streamed, () => 'prediction-completed'));
    expect(await outcomesBy('refused')).toEqual([]);
    await eventually('all are through', () => counts('narrow')?.running === 0);
    expect(counts('narrow')?.waiting).toBe(0);
  });

  it('gives the place of somebody who has gone to the next', async () => {
    await fixture.apply(documentOf('single', { concurrency: 1, queue: 1 }));
    const { begun } = models;
    const first = ask('single');
    await eventually('one runs', () => models.begun === begun + 1);
    let gone = false;
    const left = ask('single', { cancelled: () => gone });
    gone = true;
    const next = ask('single');
    expect(await left).toMatchObject({ type: 'failed', data: { code: 'CANCELLED' } });
    open();
    expect(await Promise.all([first, next])).toMatchObject([{ type: 'completed' }, { type: 'completed' }]);
    expect(models.begun).toBe(begun + 2);
  });
});

describe('a limit of time', () => {
  it('ends what takes longer, by call and by topic, and names itself', async () => {
    await fixture.apply(documentOf('hasty', { concurrency: 1, timeoutMs: 40 }));
    const late = { code: 'TIMEOUT', route: 'main', deploymentVersion: 1 };
    const says = expect.stringContaining("within 40 ms, all that deployment 'hasty' allows") as string;
    await send('hasty', 'late');
    const [call, waiting] = await Promise.all([ask('hasty'), ask('hasty')]);
    for (const outcome of [call, waiting])
      expect(outcome).toMatchObject({ type: 'failed', data: { ...late, message: says } });
    const [streamed] = await eventually('the failure of the topic', async () => {
      const found = await outcomesBy('late');
      return found.length === 1 ? found : undefined;
    });
    expect(streamed).toMatchObject({ type: 'prediction-failed', data: { ...late, message: says } });
    open();
    await eventually('the place is free again', () => counts('hasty')?.running === 0);
    await fixture.apply(documentOf('hasty', { concurrency: 1 }));
    expect(await ask('hasty', { versionMin: 2 })).toMatchObject({ type: 'completed' });
  });

  it('does not come before an earlier deadline of the request', async () => {
    await fixture.apply(documentOf('patient', { timeoutMs: 60_000 }));
    const { clock } = fixture.test.runtime.parts;
    const outcome = await ask('patient', { deadlineMs: clock.now() + 20 });
    expect(outcome).toMatchObject({ type: 'failed', data: { code: 'TIMEOUT' } });
    expect(outcome).not.toMatchObject({ data: { message: expect.stringContaining('limits.timeoutMs') as string } });
    open();
  });
});

describe('a rate', () => {
  it('lets so many begin together, turns calls away that come too soon, and makes the topic wait', async () => {
    open();
    await fixture.apply(documentOf('paced', { rate: { perSecond: 0.01, burst: 2 } }));
    expect(await ask('paced')).toMatchObject({ type: 'completed' });
    expect(await ask('paced')).toMatchObject({ type: 'completed' });
    const refused = await ask('paced', { entity: 'too soon' }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'RATE_LIMITED', details: { deployment: 'paced' } });
    const { retryAfterMs } = (refused as { details: { retryAfterMs: number } }).details;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(100_000);
    expect(await outcomesBy('too soon')).toEqual([]);
    // A new version of the document changes the rate at once.
    await fixture.apply(documentOf('paced', { rate: { perSecond: 200, burst: 1 } }));
    for (let index = 0; index < 6; index++) await send('paced', 'streamed slowly');
    const streamed = await eventually('the topic is answered', async () => {
      const found = await outcomesBy('streamed slowly');
      return found.length === 6 ? found : undefined;
    });
    expect(streamed.every(({ type }) => type === 'prediction-completed')).toBe(true);
  });
});

it('requests by topic that a deployment paces make no other one unready; a higher rate holds for those that wait, too', async () => {
  open();
  const { limits: _, ...other } = documentOf('other', {});
  await fixture.apply(other);
  await fixture.apply(documentOf('slow', { rate: { perSecond: 0.001, burst: 1 } }));
  for (let index = 0; index < 2; index++) await send('slow', 'paced');
  await eventually('the second waits', () => counts('slow')?.waiting === 1);
  const checks = await fixture.server.readiness('other', 1);
  expect(checks.map(({ problem }) => problem)).toEqual([null, null]);
  expect(checks[1]?.check).toContain("(some wait for the limits of 'slow')");
  await fixture.apply(documentOf('slow', { rate: { perSecond: 1_000 } }));
  await eventually('it is answered', async () => (await outcomesBy('paced')).length === 2);
});

it('a rate is spent on those alone that are still waited for: who is past his deadline takes nothing from those behind', async () => {
  const clock = createHandClock();
  const limits = new DeploymentLimits(clock);
  const place = { deployed: { name: 'paced' } } as never;
  const begun: string[] = [];
  const run = (name: string, deadlineMs?: number): Promise<unknown> =>
    limits
      .run(place, { rate: { perSecond: 0.001, burst: 1 } }, { waits: true, deadlineMs }, () => {
        begun.push(name);
        return Promise.resolve(name);
      })
      .catch((error: unknown) => (error as { code: string }).code);
  const hasty = ['first', 'second', 'third', 'fourth'].map((name) => run(name, clock.now() + 500_000));
  for (let step = 0; step < 8; step++) clock.advance(250_000);
  expect(await Promise.all(hasty)).toEqual(['first', 'TIMEOUT', 'TIMEOUT', 'TIMEOUT']);
  expect(await run('patient')).toBe('patient');
  const next = run('next');
  for (let step = 0; step < 5; step++) clock.advance(250_000);
  expect(await next).toBe('next');
  expect(begun).toEqual(['first', 'patient', 'next']);
});

describe('limits that make no sense', () => {
  it.each([
    [{ concurrency: 0 }, 'limits.concurrency'],
    [{ queue: 10 }, 'limits.queue needs limits.concurrency'],
    [{ rate: { perSecond: 0 } }, 'limits.rate.perSecond'],
    [{ rate: {} }, 'limits.rate'],
    [{ timeoutMs: 0 }, 'limits.timeoutMs'],
    [{ requestsPerSecond: 5 }, 'limits'],
  ])('%j is refused', (limits, place) => {
    const problems = deploymentProblems({ ...documentOf('wrong', {}), limits });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(place);
  });
});
