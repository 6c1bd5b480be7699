import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { type Fixture, local, openGateway } from './gateway-fixture.ts';

let fixture: Fixture;
let url: string;
beforeAll(async () => {
  fixture = await openGateway({ streamsMax: 2 });
  ({ url } = await fixture.gateway.listen());
});
afterAll(() => fixture.close());

const streamOf = (topic: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(`${url}/api/v1/topics/${topic}/events`, { headers, ...(signal === undefined ? {} : { signal }) });

describe('event streams', () => {
  it.each(['triggers', 'prediction-requests', 'dead-letters', 'nope', '__proto__', 'constructor'])(
    'do not show %s',
    async (topic) => {
      expect((await streamOf(topic)).status).toBe(404);
    },
  );

  it.each(['x', '1.2', '1.2.3.4', '-1.0.0', '1e3.0.0'])('refuse the last id %s', async (id) => {
    const answer = await streamOf('registry', { 'last-event-id': id });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('are limited, and a closed one makes room', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    await Promise.all([streamOf('registry', {}, first.signal), streamOf('registry', {}, second.signal)]);
    const refused = await streamOf('registry');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    first.abort();
    const third = new AbortController();
    await eventually('room for another', async () => {
      const answer = await streamOf('registry', {}, third.signal);
      return answer.status === 200;
    });
    second.abort();
    third.abort();
  });

  it('carry NaN as text, because JSON has none', async () => {
    const abort = new AbortController();
    const answer = await eventually('a stream', async () => {
      const opened = await streamOf('rewards', {}, abort.signal);
      return opened.status === 200 ? opened : undefined;
    });
    const data = {
      deployment: 'd',
      deploymentVersion: 1,
      predictionId: 'p',
      feedbackId: 'f',
      route: 'r',
      model: 'm',
      modelVersion: 1,
      prediction: Number.NaN,
      truth: 1,
      error: null,
      reward: Number.NEGATIVE_INFINITY,
      rule: 'feedback',
      assessEvery: 0,
      alpha: 0.05,
      windows: [],
      online: [],
      answer: null,
      label: null,
      probabilities: [],
      segments: [],
      qualityRows: 0,
      qualityMaxAgeMs: 0,
      bounds: [],
      planned: [],
      row: null,
      before: { rewards: 0, errors: 0, squaredErrors: 0 },
    };
    const output = { topic: 'rewards', type: 'reward-recorded', data, key: 'd', id: 'nan' } as const;
    await fixture.test.runtime.publish([output]);
    let text = '';
    for await (const chunk of answer.body!) {
      text += Buffer.from(chunk as Uint8Array).toString();
      if (text.includes('"id":"nan"')) break;
    }
    expect(text).toContain('"prediction":"NaN"');
    expect(text).toContain('"reward":"-Infinity"');
    abort.abort();
  });

  it('end when their last id lies beyond the end, which is no illness of the process', async () => {
    const opened = await eventually('a stream', async () => {
      const answer = await streamOf('registry', { 'last-event-id': Array(3).fill('999').join('.') });
      return answer.status === 200 ? answer : undefined;
    });
    expect(await opened.text()).toContain('id: 999.999.999');
    expect(fixture.test.runtime.stopped()).toEqual([]);
  });

  it('end when the gateway closes', async () => {
    const other = await openGateway();
    const opened = await fetch(`${(await other.gateway.listen()).url}/api/v1/topics/registry/events`, {
      headers: local,
    });
    const ended = opened.text();
    await other.close();
    expect(await ended).toContain('retry: 1000');
  });
});
