/** A deployment changes its version under load: by HTTP and by topic, through the same server. */
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LoadedModel, ModelRuntime } from '../../../runtime/ports/index.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { LinearRuntime } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const file = (bias: number) => Buffer.from(JSON.stringify({ weights: [1], bias }));
const body = { inputs: [{ name: 'x', datatype: 'FP64', shape: [1, 1], data: [1] }] };

let fixture: ServerFixture;
let gateway: Gateway;
let url: string;
/** While set, what has begun to load is not loaded. */
let held: Promise<void> | undefined;
const linear = new LinearRuntime();
const slow: ModelRuntime = {
  load: async (bytes): Promise<LoadedModel> => {
    const model = await linear.load(bytes);
    await held;
    return model;
  },
};
beforeAll(async () => {
  fixture = await openServer(slow);
  gateway = await createGateway({
    runtime: fixture.test.runtime,
    inference: fixture.server,
    queries: {} as never,
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
  });
  ({ url } = await gateway.listen());
});
afterAll(async () => {
  await gateway.close();
  await fixture.close();
});

/** Loading goes on for as long as a client would never wait; ends by what it returns. */
function holdLoads(): () => void {
  let release: () => void = () => undefined;
  held = new Promise((resolve) => (release = resolve));
  return () => {
    held = undefined;
    release();
  };
}

interface Answer {
  readonly status: number;
  readonly version: string;
}

const infer = async (name: string): Promise<Answer> => {
  const response = await fetch(`${url}/v2/models/${name}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const { model_version: version = '' } = (await response.json()) as { model_version?: string };
  return { status: response.status, version };
};

/** Asks a hundred times a second, whether or not answers come, until it is told to stop. */
function load(name: string): { readonly answers: Answer[]; stop(): Promise<number> } {
  const answers: Answer[] = [];
  const failures: unknown[] = [];
  const asked: Promise<unknown>[] = [];
  let next = Promise.resolve();
  const timer = setInterval(() => {
    asked.push(
      infer(name).then(
        (answer) => answers.push(answer),
        (error: unknown) => failures.push(error),
      ),
    );
    next = next.then(async () => {
      await fixture.request({ deployment: name, key: `entity-${asked.length % 7}`, value: JSON.stringify(body) });
    });
  }, 10);
  onTestFinished(() => clearInterval(timer));
  return {
    answers,
    stop: async () => {
      clearInterval(timer);
      await Promise.all([...asked, next]);
      expect(failures).toEqual([]);
      return asked.length;
    },
  };
}

describe('a new version of a deployment', () => {
  it('takes over at 100 requests a second without a failed request, by HTTP and by topic; one that cannot be loaded never does', async () => {
    await fixture.deploy('rolling', file(1));
    await infer('rolling');
    const { answers, stop } = load('rolling');
    const versions = (): readonly string[] => [...new Set(answers.map(({ version }) => version))];
    await eventually('answers of version 1', () => answers.length > 20);

    const release = holdLoads();
    await fixture.deploy('rolling', file(2));
    await eventually('version 2 loads', () => linear.loads === 2);
    const { length } = answers;
    await eventually('version 1 goes on meanwhile', () => answers.length > length + 20);
    expect(versions()).toEqual(['1']);
    release();
    await eventually('answers of version 2', () => versions().includes('2'));

    await fixture.deploy('rolling', Buffer.from('no model'));
    const refused = await eventually('the verdict', () => {
      const reason = fixture.server.repository().find(({ name }) => name === 'rolling')?.reason;
      return reason?.includes('is loading') === true ? undefined : reason;
    });
    expect(refused).toContain('version 3: models:/rolling/1: the file is no linear model');
    expect(await fixture.server.readiness('rolling', 3)).toMatchObject([
      { problem: expect.stringMatching(/no linear model; version 2 goes on answering$/) },
      { problem: null },
    ]);

    // Back to the first version: its model is still there.
    const loads = linear.loads;
    await fixture.deploy('rolling', file(1));
    await eventually('answers of version 4', () => versions().includes('4'));
    expect(linear.loads).toBe(loads);

    const asked = await stop();
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(asked).fill(200));
    expect(versions()).toEqual(['1', '2', '4']);
    const streamed = await eventually('every outcome of the topic', async () => {
      const found = (await fixture.outcomes()).filter(({ data }) => 'source' in data && data.source !== null);
      return found.length >= asked ? found : undefined;
    });
    expect(streamed.map(({ type }) => type)).toEqual(Array<string>(asked).fill('prediction-completed'));
    expect(new Set(streamed.map(({ id }) => id)).size).toBe(asked);
  }, 60_000);

  it('is waited for by a request that asks for it, and answers with its problem when it cannot be', async () => {
    await fixture.deploy('asked', file(1));
    await infer('asked');
    const release = holdLoads();
    await fixture.deploy('asked', file(3));
    const ask = async (version: number) =>
      await fixture.server.inferOpen({ deployment: 'asked', body, versionMin: String(version) });
    const second = ask(2);
    await eventually('it waits', () => fixture.server.stats().inFlight === 1);
    release();
    expect(await second).toMatchObject({ type: 'completed', body: { model_version: '2' } });
    await fixture.deploy('asked', Buffer.from('no model'));
    expect(await ask(3)).toMatchObject({ type: 'failed', code: 'MODEL_REFUSED' });
    expect(await ask(1)).toMatchObject({ type: 'completed', body: { model_version: '2' } });
    expect(await ask(4)).toMatchObject({ type: 'failed', code: 'UNAVAILABLE' });
  });
});

describe('readiness', () => {
  it('probes every partition by a record of its own, which is an operation and no prediction', async () => {
    await fixture.deploy('probed', file(1));
    const before = (await fixture.outcomes()).length;
    const calls = linear.calls.length;
    const checks = await fixture.server.readiness('probed', 1);
    expect(checks).toEqual([
      { check: 'models and code are loaded and answer a probe', problem: null },
      { check: 'requests of 6 partitions are read and answered by this process', problem: null },
    ]);
    expect(linear.calls.length).toBeGreaterThan(calls);
    expect((await fixture.outcomes()).length).toBe(before);
  });

  it('says so when a partition is read by nobody', async () => {
    const quiet = await openServer(linear, { runService: false });
    try {
      await quiet.deploy('quiet', file(1));
      const service = quiet.server.service;
      await service.opened?.({ partition: { topic: 'prediction-requests', partition: 2 } } as never);
      expect((await quiet.server.readiness('quiet', 1))[1]).toEqual({
        check: 'requests of 1 partitions are read and answered by this process',
        problem: 'a probe of prediction-requests/2 was not answered within 5 s',
      });
    } finally {
      await quiet.close();
    }
  }, 30_000);
});

describe('a server that is closed', () => {
  it('answers what is under way, and turns away what comes later', async () => {
    await fixture.deploy('slow', file(1));
    await infer('slow');
    let release: () => void = () => undefined;
    linear.gate = new Promise((resolve) => (release = resolve));
    const underWay = Array.from({ length: 20 }, () => infer('slow'));
    await eventually('requests under way', () => fixture.server.stats().inFlight === 20);
    const closing = gateway.close();
    await expect(fetch(`${url}/livez`)).rejects.toThrow('fetch failed');
    linear.gate = undefined;
    release();
    expect((await Promise.all(underWay)).map(({ status }) => status)).toEqual(Array<number>(20).fill(200));
    await closing;
  });
});
